"""Hostile input never yields a 500, in this process; `test_wire.py` sends what only the wire can carry."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.web import bodies, cookies, urls
from app.web.errors import Problem
from tests.support.visitor import Visitor

TARGETS = [("PATCH", "/people/7"), ("POST", "/optional"), ("PUT", "/people/7"), ("POST", "/memos"), ("GET", "/seen")]

VALUES: list[Any] = [
    None, True, False, 0, -1, 10**30, 1.5, "", "x", "\x00", "\u202e", "x" * 50_000, [], {}, [[[]]], {"$ne": ""},
    {"name": None}, {"name": ["Ann"]}, {"name": {"$gt": ""}}, {"name": True, "age": "1"}, {"age": 10**40},
    {"name": "\x00"}, {"name": "Ann", "age": 1.0}, {"__proto__": {}}, {"__class__": {}}, {"": ""}, {"self": 1},
    {"cls": 1, "kwargs": {}, "args": []}, {"data": 1, "payload": 1, "request": 1, "connection": 1}, [{"name": "Ann"}],
]  # fmt: skip

BYTES = [
    b"", b"\x00", b"\xff" * 100, b"{", b'"', b"[" * 20_000, b'{"a":' * 5_000, b"&" * 60_000, b"=" * 60_000, b"%" * 1000,
    b"%f", b"a=%zz", b"--x", b"--x--", b"\r\n" * 1000, b"--x\r\n" * 5_000, b"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///'>]>",
]  # fmt: skip

TYPES = [
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data",
    "text/plain", "application/json; charset=\x80", "application/xml", ";", "*/*", "application/json;" * 50,
]  # fmt: skip

ODD = [
    b"\xff",
    b"\xc3\xa9",
    b"\x00",
    b"\x7f",
    b"",
    b" ",
    b"\t",
    b"x" * 10_000,
    b"a\xffb",
    b"\xed\xa0\x80",
    b"%00",
    b"\xe2\x80\xae",
]

HEADERS = [
    "Cookie", "User-Agent", "Accept", "Host", "Origin", "Sec-Fetch-Site", "Content-Type", "Content-Length",
    "Content-Encoding", "If-None-Match", "Authorization", "X-Request-Id", "X-Forwarded-For", "Range", "Expect",
    "Referer",
]  # fmt: skip


# v5.0.0-1.5.2, v5.0.0-2.2.1
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize(("method", "path"), TARGETS)
async def test_a_json_value_of_any_kind(site: Visitor, method: str, path: str, value: Any) -> None:
    answer = await site.request(method, path, json=value)

    assert answer.status_code < 500


@pytest.mark.parametrize("content", BYTES, ids=lambda content: repr(content[:16]))
@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("path", ["/memos", "/optional"])
async def test_bytes_of_any_kind_under_any_type(site: Visitor, path: str, content_type: str, content: bytes) -> None:
    headers = {"Content-Type": content_type.encode("latin-1")}

    answer = await site.post(path, content=content, headers=headers)

    assert answer.status_code < 500


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value[:16]))
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize(("method", "path"), [("GET", "/page"), ("POST", "/memos"), ("GET", "/static/app.css")])
async def test_a_header_of_any_bytes(site: Visitor, method: str, path: str, header: str, value: bytes) -> None:
    answer = await site.request(method, path, headers={header: value})

    assert answer.status_code < 500


# v5.0.0-1.5.3
@pytest.mark.parametrize(
    "query",
    [
        "%",
        "%ff",
        "%00",
        "a=%ff",
        "a=%00",
        "a=%zz",
        "&&&",
        "=",
        "?" * 100,
        "notice=%ff",
        "next=%0d%0a",
        "a[]=1",
        "limit=x",
        "limit=",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/page"), ("GET", "/seen"), ("PATCH", "/people/7")])
async def test_a_query_of_any_bytes(site: Visitor, method: str, path: str, query: str) -> None:
    answer = await site.request(method, f"{path}?{query}")

    assert answer.status_code < 500


@pytest.mark.parametrize(
    "path",
    [
        "/%ff",
        "/%00",
        "/%",
        "/people/%00",
        "/people/%ff",
        "/people/%2e%2e",
        "/%0d%0a",
        "/static/%ff",
        "/%80",
        "/fails/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "TRACE"])
async def test_a_path_of_any_bytes(site: Visitor, method: str, path: str) -> None:
    answer = await site.request(method, path)

    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("path", ["/%ff", "/seen?a=%ff", "/seen?a=%00", "/seen?%ff=1"])
async def test_what_is_no_text_is_400(site: Visitor, path: str) -> None:
    assert (await site.get(path)).status_code == 400


def read(reader: Any, body: bytes, content_type: bytes) -> Any:
    """What the reader makes of a body, or the Problem that it raises."""

    async def whole() -> bytes:
        return body

    request = SimpleNamespace(body=whole, scope={"headers": [(b"content-type", content_type)]})
    try:
        return asyncio.run(reader(request))
    except Problem as problem:
        return problem


JSON = st.recursive(st.none() | st.floats() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())
FORMS = [b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=-"]


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200) | JSON)
def test_a_json_body_is_read_or_refused(body: bytes) -> None:
    outcome = read(bodies.read_json, body, b"application/json")

    refused = isinstance(outcome, Problem) and outcome.status == 400
    assert refused or json.dumps(outcome, allow_nan=False, ensure_ascii=False).encode()


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200), kind=st.sampled_from(FORMS))
def test_a_form_is_read_or_refused(body: bytes, kind: bytes) -> None:
    outcome = read(bodies.read_form, body, kind)

    refused = isinstance(outcome, Problem) and outcome.status == 400
    assert refused or "".join(["fields", *outcome, *outcome.values()]).encode()


@given(header=st.binary(max_size=300) | st.text(alphabet="ab=; \t\x80", max_size=20).map(str.encode))
def test_a_cookie_header_is_read_whatever_it_is(header: bytes) -> None:
    jar = cookies.read({"headers": [(b"cookie", header)]})

    for name in {pair.partition(b"=")[0].strip() for pair in header.split(b";")}:
        if name.isascii() and (value := jar.get(name.decode())) is not None:
            assert name + b"=" + value.encode("ascii") in header


@given(raw=st.text(max_size=600) | st.text(alphabet="/.%2ef\\login@:", max_size=20))
def test_what_local_path_keeps_begins_with_one_slash(raw: str) -> None:
    kept = urls.local_path(raw)

    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))
    assert kept.isascii()
    assert kept.isprintable()
