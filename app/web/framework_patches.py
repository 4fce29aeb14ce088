"""Framework patches: places where the framework would let a request choose what a handler gets.

1. The body overrides arguments. Ravyn merges a JSON body into the handler's keyword arguments, GET included:
   `PUT /users/7` with `{"user_id": 1}` hands the handler 1, and `request` itself can become a string. Here only the
   reserved parameter (`data` or `payload`) is ever filled from a body, and a handler without one never reads it.
2. The framework's cookie parser lets a planted cookie override a `__Host-` one: `request.cookies` is ours.
3. A permission class is instantiated in a worker thread for every request, which costs more than the request: here it
   is simply called.
4. A handler that takes nothing but `request` gets it. Stock: URL, headers, cookies and query are taken apart first, and
   validated as a model, for arguments that the handler does not have.
Chapter: "Permissions". Delete each patch when its test in tests/upstream says that the defect is gone.
"""

import inspect
from functools import cache, partial
from typing import Any

from lilya.requests import Connection
from ravyn.core.transformers.model import TransformerModel
from ravyn.routing.core.base import BaseResponseHandler
from ravyn.utils.constants import DATA, PAYLOAD
from ravyn.utils.sync import AsyncCallable

from app.web import bodies, cookies
from app.web.errors import Problem

EXPECTED = ["self", "request"]
EXPECTED_OF_RESPONSE = ["route", "parameter_model", "request"]

_stock_response_data: Any = BaseResponseHandler._get_response_data


def install() -> None:
    """Install the patches; calling it twice changes nothing.

    Errors: RuntimeError if the framework is no longer the one that they were written for.
    """
    if TransformerModel.get_request_data is _get_request_data:
        return
    _check_versions()
    TransformerModel.get_request_data = _get_request_data  # type: ignore[method-assign]
    Connection.cookies = property(lambda connection: cookies.read(connection.scope))  # type: ignore[assignment,method-assign]
    AsyncCallable.__call__ = _call  # type: ignore[method-assign]
    BaseResponseHandler._get_response_data = staticmethod(_get_response_data)  # type: ignore[method-assign]


def _check_versions() -> None:
    found = getattr(TransformerModel, "get_request_data", None)
    known = inspect.iscoroutinefunction(found) and list(inspect.signature(found).parameters) == EXPECTED
    known &= list(inspect.signature(_stock_response_data).parameters) == EXPECTED_OF_RESPONSE
    if not known or not isinstance(inspect.getattr_static(Connection, "cookies", None), property):
        raise RuntimeError(
            "This version of Ravyn reads request bodies or cookies unlike what app/web/framework_patches.py expects. "
            "Run tests/upstream, then adapt or delete the module; without it a body overrides handler arguments."
        )


async def _get_request_data(self: TransformerModel, request: Any) -> Any:
    name = next((name for name in (DATA, PAYLOAD) if name in self.reserved_kwargs), None)
    if name is None:
        return None
    if self.form_data:
        raise RuntimeError("Form() and File() decode every field as JSON: use forms.parse")
    value = await bodies.read_json(request)
    if isinstance(value, dict):
        value = _Object(value)
    elif value is not None or not self.is_optional:
        raise Problem(422, errors=[{"field": "", "message": "Send an object."}])
    # The caller tells a body that is the value from one that holds it by looking for the parameter's name inside.
    # Always the second kind, or a body with that name in it would be merged into the arguments after all.
    return {name: value}


async def _get_response_data(route: Any, parameter_model: Any, request: Any) -> Any:
    if _takes_request_alone(route.fn):
        return await route.fn(request=request)
    return await _stock_response_data(route=route, parameter_model=parameter_model, request=request)


@cache
def _takes_request_alone(handler: Any) -> bool:
    return inspect.iscoroutinefunction(handler) and list(inspect.signature(handler).parameters) == ["request"]


async def _call(self: AsyncCallable[Any, Any], *arguments: Any, **options: Any) -> Any:
    made = self.fn.args[0] if isinstance(self.fn, partial) else None
    if inspect.isclass(made):
        return made(*arguments, **options)
    return await self.fn(*arguments, **options)


class _Object(dict[str, Any]):
    """A JSON object that was sent, an empty one too: the framework takes a false value for an absent body."""

    def __bool__(self) -> bool:
        return True
