"""Every answer carries every header, each exactly once."""

import re
from collections import Counter
from typing import Any

import httpx
import pytest

from app.web import request_limits
from tests.support.visitor import Visitor
from tests.web import assembled

POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'nonce-{nonce}'",
    "style-src": "'self' 'nonce-{nonce}'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}
FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}
HTML = {"Accept": "text/html"}

# Every status that the plumbing gives, and who gives it.
ANSWERS: list[tuple[int, str, str, dict[str, Any]]] = [
    (200, "GET", "/seen", {}),
    (200, "GET", "/page", {"headers": HTML}),
    (200, "HEAD", "/page", {}),
    (200, "GET", "/static/app.css", {}),
    (200, "HEAD", "/static/app.css", {}),
    (200, "GET", "/own-headers", {}),
    (303, "GET", "/elsewhere", {}),
    (400, "GET", "/seen", {"headers": {"Accept": b"\xff"}}),
    (400, "GET", "/seen", {"headers": {"Host": "evil.example"}}),
    (403, "POST", "/optional", {"headers": {"Sec-Fetch-Site": "cross-site"}}),
    (404, "GET", "/nowhere", {}),
    (404, "GET", "/nowhere", {"headers": HTML}),
    (404, "GET", "/static/nothing.css", {}),
    (405, "POST", "/seen", {}),
    (405, "TRACE", "/seen", {}),
    (409, "GET", "/fails/problem", {}),
    (413, "POST", "/optional", {"content": b"x" * (assembled.LIMIT + 1)}),
    (415, "POST", "/optional", {"content": b"x"}),
    (415, "POST", "/optional", {"headers": {"Content-Encoding": "gzip"}, "json": {}}),
    (418, "GET", "/fails/teapot", {}),
    (422, "POST", "/optional", {"json": {}}),
    (431, "GET", "/seen", {"headers": {"X": "x" * 40_000}}),
    (500, "GET", "/fails/bug", {}),
    (500, "GET", "/fails/bug", {"headers": HTML}),
    (500, "GET", "/broken-page", {"headers": HTML}),
    (503, "GET", "/fails/unavailable", {}),
]


# v5.0.0-3.4.2
@pytest.mark.parametrize(("status", "method", "path", "options"), ANSWERS, ids=lambda value: str(value)[:30])
async def test_every_answer_carries_every_header_exactly_once(
    site: Visitor, status: int, method: str, path: str, options: dict[str, Any]
) -> None:
    answer = await site.request(method, path, **options)

    assert answer.status_code == status
    times = Counter(name.lower() for name, _ in answer.headers.raw)
    assert [name for name, count in times.items() if count != 1] == []
    expected = FIXED | ({"referrer-policy": "no-referrer"} if path == "/own-headers" else {})
    assert {name: answer.headers[name] for name in expected} == expected
    assert set(answer.headers) >= {"content-security-policy", "permissions-policy", "x-request-id", "cache-control"}
    assert not {"server", "x-powered-by"} & set(answer.headers)
    assert re.fullmatch("[0-9a-f-]{36}", answer.headers["x-request-id"])


@pytest.mark.parametrize(("status", "method", "path", "options"), ANSWERS, ids=lambda value: str(value)[:30])
async def test_every_answer_has_the_policy_with_a_nonce_of_its_own(
    site: Visitor, status: int, method: str, path: str, options: dict[str, Any]
) -> None:
    first, second = [await site.request(method, path, **options) for _ in range(2)]

    assert policy_of(first) != policy_of(second)
    nonce = nonce_of(first)
    assert re.fullmatch("[A-Za-z0-9_-]{22,}", nonce)  # 128 bits
    assert policy_of(first) == {name: value.format(nonce=nonce) for name, value in POLICY.items()}


def policy_of(answer: httpx.Response) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))


def nonce_of(answer: httpx.Response) -> str:
    return policy_of(answer)["script-src"].split("nonce-")[1].removesuffix("'")


async def test_the_template_gets_the_nonce_of_its_own_answer(site: Visitor) -> None:
    answer = await site.get("/page", headers=HTML)

    assert f'<script nonce="{nonce_of(answer)}">' in answer.text


@pytest.mark.parametrize(
    ("path", "kept"), [("/seen", "no-store"), ("/own-headers", "private"), ("/nowhere", "no-store")]
)
async def test_nothing_is_stored_unless_the_handler_says_so(site: Visitor, path: str, kept: str) -> None:
    answer = await site.get(path)

    assert answer.headers["cache-control"] == kept


@pytest.mark.parametrize(
    ("url", "https", "sent"),
    [
        ("https://testserver/seen", False, True),
        ("http://testserver/seen", False, False),
        ("http://testserver/seen", True, True),
    ],
)
async def test_strict_transport_is_sent_where_the_site_is_https(url: str, https: bool, sent: bool) -> None:
    async with Visitor(assembled.create_app(https=https)) as site:
        answer = await site.get(url)

    assert ("strict-transport-security" in answer.headers) is sent


async def test_a_request_id_sent_by_the_client_is_not_taken_over(site: Visitor) -> None:
    answer = await site.get("/seen", headers={"X-Request-ID": "mine"})

    assert answer.headers["x-request-id"] == answer.json()["request_id"] != "mine"


# v5.0.0-5.4.2
@pytest.mark.parametrize("end", ["%0d%0a", "%0a", "%0d"])
async def test_a_header_of_the_answer_cannot_hold_a_line_end(site: Visitor, end: str) -> None:
    answer = await site.get(f"/split?said=x{end}Set-Cookie:%20a=b")

    assert answer.status_code == 500
    assert not {"x-said", "set-cookie"} & set(answer.headers)


async def test_answers_do_not_share_a_dict_of_headers(site: Visitor) -> None:
    long = await site.get("/fails/problem")
    short = await site.get("/fails/problem", headers={"Accept": "text/html"})

    assert int(long.headers["content-length"]) == len(long.content)
    assert int(short.headers["content-length"]) == len(short.content)


@pytest.mark.parametrize(
    "path", ["/seen", "/page", "/static/app.css", "/nowhere", "/elsewhere", "/fails/bug", "/fails/problem"]
)
async def test_head_answers_as_get_does_without_the_body(site: Visitor, path: str) -> None:
    head, get = await site.head(path, headers=HTML), await site.get(path, headers=HTML)

    assert head.content == b""
    assert head.status_code == get.status_code
    varying = {"content-security-policy", "x-request-id", "content-length"}
    assert without(head, varying) == without(get, varying)
    assert ("content-length" in head.headers) == ("content-length" in get.headers)


def without(answer: httpx.Response, names: set[str]) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in names}


async def test_a_handler_can_tell_head_from_get(web_app: Any) -> None:
    seen: list[bytes] = []

    async def spy(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["method"], scope.get("is_head_request", False)))

    for method in ("HEAD", "GET"):
        await request_limits.Methods(spy)({"type": "http", "method": method}, None, None)

    assert seen == [("GET", True), ("GET", False)]


async def test_head_where_only_post_answers_is_405(site: Visitor) -> None:
    answer = await site.head("/optional")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_one_line_in_the_log_for_a_request(site: Visitor, logged: list[Any]) -> None:
    answer = await site.get("/seen?token=secret")

    (line,) = logged
    assert line.pop("ms") > 0
    assert line == {
        "event": "request", "source": "web", "log_level": "info", "method": "GET", "path": "/seen", "route": "/seen",
        "status": 200, "request_id": answer.headers["x-request-id"],
    }  # fmt: skip


# v5.0.0-16.4.1
@pytest.mark.parametrize("path", ["/a%0d%0aGET%20/b", "/a%1b%5b31m", "/a%e2%80%a8b", "/%E2%80%AEa"])
async def test_a_path_cannot_write_a_line_of_its_own(site: Visitor, logged: list[Any], path: str) -> None:
    await site.get(path)

    (line,) = logged
    assert line["path"].isprintable()
    assert " " not in line["path"]
