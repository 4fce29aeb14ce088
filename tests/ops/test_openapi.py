"""The description of the API: valid, complete, true when it is asked at random, and shown where it should be."""

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.main import create_app, route_table
from app.settings import get_settings
from tests.support.people import make_user, start_session
from tests.support.sent import bearer
from tests.support.server import Server, running
from tests.support.visitor import Visitor

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))  # an operation; `make audit` asks for more
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
async def document(client: Visitor) -> dict[str, Any]:
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.mark.anyio
async def test_description_is_valid_and_names_every_route_of_the_api(document: dict[str, Any]) -> None:
    validate(document)

    described = {(method.upper(), path) for path, each in document["paths"].items() for method in each}
    assert described == {(row["method"], row["path"]) for row in served() if row["method"] != "HEAD"}


@pytest.mark.anyio
async def test_description_says_who_may(document: dict[str, Any]) -> None:
    for row in served():
        says = document["paths"][row["path"]].get(row["method"].lower())
        if says:
            open_to_all = row["permission"] in ("Public", "NoAuthentication")
            assert says["security"] == ([] if open_to_all else [{"bearer": []}, {"cookie": []}]), row


def test_api_route_that_does_not_say_its_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.ops import api_reference

    app = create_app()
    route = next(route for route in app.routes if route.path == "/api/auth/me")
    monkeypatch.delattr(route, "answers")

    with pytest.raises(RuntimeError, match="/api/auth/me says no answers"):
        api_reference._document(app)


# v5.0.0-13.4.5
@pytest.mark.parametrize(("env", "docs", "there"), [
    ("production", None, False), ("production", True, True), ("development", None, True), ("development", False, False),
])  # fmt: skip
def test_reference_is_off_in_production_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, env: str, docs: bool | None, there: bool
) -> None:
    monkeypatch.setattr(get_settings(), "env", env)
    monkeypatch.setattr(get_settings(), "docs", docs)

    assert ({"/openapi.json", "/docs/swagger"} <= {row["path"] for row in route_table()}) is there


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


# v5.0.0-2.2.1, v5.0.0-15.3.1
@pytest.mark.race
def test_api_answers_at_random_as_it_is_described(server: Server) -> None:
    person = server.run(make_user)
    headers = bearer(server.run(lambda: start_session(person)))
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations()]

    for operation in sorted(operations, key=lambda each: each.path == "/api/auth/logout"):  # which ends the session

        @hypothesis.settings(max_examples=EXAMPLES, derandomize=True, database=None)
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            case.call_and_validate(base_url=server.url, headers=headers, checks=CHECKS)

        ask()


def served() -> list[dict[str, str]]:
    return [row for row in route_table() if row["path"].startswith("/api/")]
