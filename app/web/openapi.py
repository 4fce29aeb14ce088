"""OpenAPI 3.1: the description of the JSON API, made from the routes themselves.

Not the framework's own: that one writes `security` in a form that is invalid, and describes arguments that a body does
not fill here (see `framework_patches`). HTML pages stay out. Source: OpenAPI 3.1.1; RFC 9457 for every error.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

REF = "#/components/schemas/{model}"
ERRORS = {401: "Sign in first", 403: "Not allowed", 404: "Not there", 422: "A value is not valid"}


class FieldError(BaseModel):
    field: str
    message: str


class ProblemDetails(BaseModel):
    """Every error: RFC 9457."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldError] = []
    error: str = Field(default="", description="for programs: invalid_grant, refresh_stale, registration_closed, ...")
    ticket: str = Field(default="", description="with second_factor_required: bring it to /api/auth/login/code")


def document(routes: Iterable[Any], *, title: str, version: str) -> dict[str, Any]:
    """The document. A route under /api/ says its answers itself: `permissions.private(path, handler, answers={200:
    Model})`.

    Errors: RuntimeError for a route that says none.
    """
    operations = [each for route in routes if route.path.startswith("/api/") for each in _operations(route)]
    models: dict[Any, None] = {ProblemDetails: None}
    models |= {model: None for operation in operations for model in operation["models"]}
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation["path"], {})[operation["method"]] = operation["says"]
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-access"},
            },
        },
    }


def _operations(route: Any) -> Iterator[dict[str, Any]]:
    function, answers = route.handler.fn, getattr(route, "answers", None)
    if not answers:
        raise RuntimeError(f"{route.path} says no answers: permissions.private(path, handler, answers={{200: Model}})")
    body = inspect.signature(function).parameters.get("data")
    models = [model for model in answers.values() if model]
    is_open = route.permission.__name__ in ("Public", "NoAuthentication")
    says: dict[str, Any] = {
        "tags": [route.path.split("/")[2]],
        "summary": (inspect.getdoc(function) or function.__name__.replace("_", " ").capitalize()).splitlines()[0],
        "security": [] if is_open else [{"bearer": []}, {"cookie": []}],
        "parameters": [*_in_path(route.path), *getattr(route, "query", ())],
        "responses": {str(status): _answer(model) for status, model in answers.items()}
        | {str(status): _problem(words) for status, words in ERRORS.items()}
        | {"default": _problem("Anything else")},
    }
    if body is not None:
        (model,) = [kind for kind in get_args(body.annotation) or (body.annotation,) if kind is not type(None)]
        models.append(model)
        content = {"application/json": {"schema": {"$ref": REF.format(model=model.__name__)}}}
        says["requestBody"] = {"content": content, "required": body.default is inspect.Parameter.empty}
    for method in sorted(set(route.handler.http_methods) - {"HEAD", "OPTIONS"}):
        name = re.sub(r"\W+", "_", f"{method.lower()}{route.path.removeprefix('/api')}").strip("_")
        yield {"path": route.path, "method": method.lower(), "models": models, "says": {"operationId": name, **says}}


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"} | ({"format": "uuid"} if name.endswith("id") else {}),
        }
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _answer(model: Any) -> dict[str, Any]:
    if model is None:
        return {"description": "Done"}
    schema = {"$ref": REF.format(model=model.__name__)}
    return {"description": (model.__doc__ or "").strip() or "Done", "content": {"application/json": {"schema": schema}}}


def _problem(words: str) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=ProblemDetails.__name__)}
    return {"description": words, "content": {"application/problem+json": {"schema": schema}}}
