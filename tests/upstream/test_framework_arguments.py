"""What a request can do to a handler's arguments on the plain framework: the reasons for app/web/framework_patches.py.

Run as a program, this file asks an application without our mendings; the tests read what it printed. A test that fails
says that a release has closed the hole: then the mending goes, and the test with it.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from ravyn import Form, Gateway, Ravyn, Request, Requires, Security, get, post, put

pytestmark = pytest.mark.upstream


class Person(BaseModel):
    name: str = ""
    age: int = 0


async def current_user() -> str:
    return "the dependency"


@put("/people/{person_id}")
async def put_person(person_id: int, request: Request, who: Any = Requires(current_user)) -> Any:
    return {"person_id": person_id, "request": type(request).__name__, "who": who}


@get("/depends")
async def depends(request: Request, who: Any = Requires(current_user)) -> Any:
    return {"who": who}


@get("/secured")
async def secured(request: Request, who: Any = Security(current_user)) -> Any:
    return {"who": str(who)}


@post("/named")
async def named(request: Request, data: Person, limit: int = 5) -> Any:
    return {"data": data.name, "request": type(request).__name__, "limit": limit}


@post("/optional")
async def optional(data: Person | None = None) -> Any:
    return {"absent": data is None}


@post("/form")
async def form(data: dict[str, Any] = Form()) -> Any:
    return data


@post("/own-form")
async def own_form(request: Request) -> Any:
    return dict(await request.form())


@get("/cookies")
async def cookies(request: Request) -> Any:
    return request.cookies


HANDLERS = (put_person, depends, secured, named, optional, form, own_form, cookies)
JSON = {"Content-Type": "application/json"}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}

REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "arguments": ("PUT", "/people/7", {"json": {"person_id": 1, "request": "x", "who": "mallory"}}),
    "get": ("GET", "/depends", {"json": {"who": "mallory"}}),
    "get no json": ("GET", "/depends", {"content": b"a=b"}),
    "security query": ("GET", "/secured?who=mallory", {}),
    "security": ("GET", "/secured", {}),
    "name inside": ("POST", "/named", {"json": {"data": {"name": "Ann"}, "request": 1, "limit": 9}}),
    "text/plain": ("POST", "/named", {"content": b'{"name": "Ann"}', "headers": {"Content-Type": "text/plain"}}),
    "malformed": ("POST", "/named", {"content": b"{", "headers": JSON}),
    "number": ("POST", "/named", {"json": 5}),
    "duplicate": ("POST", "/named", {"content": b'{"name": "Ann", "name": "Bob"}', "headers": JSON}),
    "empty object": ("POST", "/optional", {"json": {}}),
    "invalid": ("POST", "/named", {"json": {"name": "Ann", "age": "hunter2"}}),
    "form": ("POST", "/form", {"data": {"password": "12345678", "agree": "true", "size": "1e5"}}),
    "form without Form": ("POST", "/own-form", {"data": {"title": "x"}}),
    "cookies": (
        "GET",
        "/cookies",
        {"headers": {"Cookie": b"__Host-a=real; \xc2\xa0__Host-a=planted; b=%41; c=1; c=2"}},
    ),
}


async def ask() -> dict[str, Any]:
    app = Ravyn(routes=[Gateway(handler=handler) for handler in HANDLERS])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        answers = {name: await client.request(*line, **options) for name, (*line, options) in REQUESTS.items()}
    return {name: [answer.status_code, answer.text] for name, answer in answers.items()}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask())))
    sys.exit()


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, __file__], capture_output=True, check=True, cwd=root, text=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_body_overrides_path_request_and_dependency(answers: dict[str, Any]) -> None:
    assert json.loads(answers["arguments"][1]) == {"person_id": 1, "request": "str", "who": "mallory"}


def test_a_body_overrides_arguments_on_get(answers: dict[str, Any]) -> None:
    assert json.loads(answers["get"][1]) == {"who": "mallory"}


def test_a_body_is_read_where_the_handler_wants_none(answers: dict[str, Any]) -> None:
    assert answers["get no json"][0] == 500


def test_the_parameters_name_inside_the_body_merges_the_rest(answers: dict[str, Any]) -> None:
    assert json.loads(answers["name inside"][1]) == {"data": "Ann", "request": "int", "limit": 9}


def test_security_does_not_run(answers: dict[str, Any]) -> None:
    assert json.loads(answers["security"][1]) == {"who": "Security(current_user)"}


def test_a_query_fills_what_security_should(answers: dict[str, Any]) -> None:
    assert json.loads(answers["security query"][1]) == {"who": "mallory"}


def test_json_is_read_under_any_content_type(answers: dict[str, Any]) -> None:
    assert answers["text/plain"][0] == 201


@pytest.mark.parametrize("name", ["malformed", "number"])
def test_a_body_that_does_not_fit_is_a_500(answers: dict[str, Any], name: str) -> None:
    assert answers[name][0] == 500


def test_of_two_equal_names_in_json_the_last_counts(answers: dict[str, Any]) -> None:
    assert json.loads(answers["duplicate"][1])["data"] == "Bob"


def test_an_empty_object_counts_as_no_body(answers: dict[str, Any]) -> None:
    assert json.loads(answers["empty object"][1]) == {"absent": True}


def test_what_does_not_validate_is_400_and_repeats_the_input(answers: dict[str, Any]) -> None:
    assert answers["invalid"][0] == 400
    assert "hunter2" in answers["invalid"][1]


def test_form_decodes_every_field_as_json(answers: dict[str, Any]) -> None:
    assert json.loads(answers["form"][1]) == {"password": 12345678, "agree": True, "size": 1e5}


def test_a_form_is_a_500_where_the_handler_reads_it_itself(answers: dict[str, Any]) -> None:
    assert answers["form without Form"][0] == 500


def test_a_planted_cookie_overrides_a_real_one(answers: dict[str, Any]) -> None:
    assert json.loads(answers["cookies"][1]) == {"__Host-a": "planted", "b": "A", "c": "2"}
