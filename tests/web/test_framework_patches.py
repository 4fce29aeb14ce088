"""No request chooses what a handler gets: the body fills one parameter, and nothing else."""

from typing import Any

import pytest
from ravyn.core.transformers.model import TransformerModel

from app.web import framework_patches
from tests.support.visitor import Visitor

JSON = {"Content-Type": "application/json"}


# v5.0.0-15.3.3, v5.0.0-1.5.3
async def test_a_body_does_not_override_path_request_or_dependency(site: Visitor) -> None:
    answer = await site.put("/people/7", json={"person_id": 1, "request": "x", "who": "mallory"})

    assert answer.json() == {"person_id": 7, "request": "Request", "who": "the dependency"}


async def test_a_body_on_get_does_not_override_anything(site: Visitor) -> None:
    answer = await site.request("GET", "/depends", json={"who": "mallory", "request": 1})

    assert answer.json() == {"who": "the dependency", "request": "Request"}


async def test_a_query_does_not_override_anything(site: Visitor) -> None:
    answer = await site.put("/people/7?person_id=1&request=x&who=mallory&data=1&payload=1")

    assert answer.json() == {"person_id": 7, "request": "Request", "who": "the dependency"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("content", [b"{", b"\xff", b"a=b", b"[" * 5000, b"{}"])
async def test_a_handler_without_data_never_reads_the_body(site: Visitor, method: str, content: bytes) -> None:
    path = {"GET": "/depends", "POST": "/sign-in", "PUT": "/people/7"}[method]
    headers = {} if method != "POST" else {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await site.request(method, path, content=content if method != "POST" else b"a=b", headers=headers)

    assert answer.status_code == 200


async def test_the_body_fills_data_and_the_query_its_own_parameter(site: Visitor) -> None:
    answer = await site.patch("/people/7?limit=9", json={"name": "Ann", "age": 3})

    expected = {"person_id": 7, "request": "Request", "limit": 9, "data": {"name": "Ann", "age": 3}}
    assert answer.json() == expected


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"name": "Ann"}, "request": 1, "person_id": 1, "limit": 1},
        {"data": {"name": "Ann"}},
        {"name": "Ann", "data": {}},
        {"name": "Ann", "request": 1},
        {"name": "Ann", "person_id": 1},
        {"name": "Ann", "limit": 1},
    ],
)
async def test_the_parameters_name_inside_the_body_merges_nothing(site: Visitor, body: Any) -> None:
    answer = await site.patch("/people/7", json=body)

    assert answer.status_code == 422


async def test_a_missing_body_leaves_an_optional_parameter_empty(site: Visitor) -> None:
    answer = await site.post("/optional")

    assert answer.json() == {"payload": None, "request": "Request"}


@pytest.mark.parametrize("body", [{}, [], 0, "", False, 5, "payload", ["payload"], [1], True])
async def test_whatever_was_sent_is_not_an_absent_body(site: Visitor, body: Any) -> None:
    answer = await site.post("/optional", json=body)

    assert answer.status_code == 422


async def test_null_is_an_absent_body(site: Visitor) -> None:
    answer = await site.post("/optional", json=None, content=b"null", headers=JSON)

    assert answer.json()["payload"] is None


# v5.0.0-3.5.2
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/jsonx",
        "json",
        "application/json, text/plain",
        "application/vnd.api+json",
        "application/merge-patch+json",
    ],
)
async def test_json_under_another_type_is_415(site: Visitor, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = await site.post("/optional", content=b'{"name": "Ann"}', headers=headers)

    assert answer.status_code == 415


async def test_two_content_types_are_415(site: Visitor) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]

    answer = await site.post("/optional", content=b'{"name": "Ann"}', headers=headers)

    assert answer.status_code == 415


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
async def test_json_is_read_under_its_own_type(site: Visitor, content_type: str) -> None:
    answer = await site.post("/optional", content=b'{"name": "Ann"}', headers={"Content-Type": content_type})

    assert answer.json()["payload"] == {"name": "Ann", "age": 0}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b'{"name": "\xff"}',
        b'{"name": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"name": "Ann"}',
        b'{"name": "Ann", "name": "Bob"}',
        b'{"name": "Ann", "n\\u0061me": "Bob"}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"age": NaN}',
        b'{"age": Infinity}',
        b'{"age": -Infinity}',
        b'{"age": 1e999}',
        b'{"age": ' + b"9" * 5000 + b"}",
        b'{"age": "x", "name": ' + b"9" * 400 + b"}",  # a number for which the framework's answer to it failed
        b'{"age": -' + b"9" * 20 + b"}",
        b'{"name": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"name": "Ann"} x',
        b"{'name': 'Ann'}",
        b'{"name": "a\nb"}',
        b"[" * 30_000 + b"]" * 30_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
    ids=lambda content: repr(content[:24]),
)
async def test_what_is_no_proper_json_is_400(site: Visitor, content: bytes) -> None:
    answer = await site.post("/optional", content=content, headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["detail"] == "The body is not valid JSON."


async def test_a_pair_of_surrogates_is_one_character(site: Visitor) -> None:
    answer = await site.post("/optional", content=b'{"name": "\\ud83d\\ude00"}', headers=JSON)

    assert answer.json()["payload"]["name"] == "\U0001f600"


# v5.0.0-16.5.1
async def test_what_does_not_validate_is_422_with_fields_and_without_the_input(site: Visitor) -> None:
    answer = await site.patch("/people/7", json={"name": 12345678, "age": "hunter2", "role": "admin"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"] == [
        {"field": "name", "message": "This must be text."},
        {"field": "age", "message": "This must be a whole number."},
        {"field": "role", "message": "This field is not known."},
    ]
    assert "hunter2" not in answer.text
    assert "12345678" not in answer.text
    assert "pydantic" not in answer.text


async def test_a_missing_required_body_is_422(site: Visitor) -> None:
    answer = await site.patch("/people/7")

    assert answer.status_code == 422


async def test_an_argument_that_does_not_fit_is_422_and_not_repeated(site: Visitor) -> None:
    answer = await site.put("/people/hunter2")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "person_id", "message": "This must be a whole number."}]
    assert "hunter2" not in answer.text


async def test_cookies_are_read_by_our_parser_everywhere(site: Visitor) -> None:
    answer = await site.get("/seen", headers={"Cookie": 'a=1; b="%41"; a=2'})

    assert answer.json()["cookies"] == {"b": '"%41"'}


async def another_signature(self: Any, request: Any, extra: int) -> Any: ...


def not_async(self: Any, request: Any) -> Any: ...


@pytest.mark.parametrize("found", [another_signature, not_async, None])
def test_install_refuses_a_framework_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    monkeypatch.setattr(TransformerModel, "get_request_data", found)

    with pytest.raises(RuntimeError, match="framework_patches"):
        framework_patches.install()


def test_install_may_be_called_twice() -> None:
    framework_patches.install()
    first = TransformerModel.get_request_data

    framework_patches.install()

    assert TransformerModel.get_request_data is first
