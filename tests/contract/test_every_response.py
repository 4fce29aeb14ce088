"""What holds for every response of the real application, whatever its status."""

import re
from typing import Any

import httpx
import pytest

from app.main import route_table
from app.web import static_files
from tests.support.clock import Clock
from tests.support.pages import without_keys
from tests.support.people import make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

ONCE = {
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "strict-transport-security",
    "x-request-id",
    "cache-control",
}
SOME_ID = "01a20b13-1ac5-7880-b8cb-dc794c22012c"
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json", "Content-Type": "application/json"}

# What to send, and the status that must come: every kind of answer there is.
EVERYTHING: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/", {}, 200),
    ("GET", "/healthz", {}, 200),
    ("GET", "/login", {}, 200),
    ("GET", "/login?next=/account", {"headers": JSON}, 200),
    ("GET", "/register", {}, 200),
    ("POST", "/register", {"data": {"email": "x"}}, 422),
    ("GET", "/verify-email", {"headers": HTML}, 422),
    ("GET", "/reset-password?token=x", {"headers": HTML}, 422),
    ("POST", "/reset-password", {"headers": {"Accept": "application/json"}, "data": {"token": "x"}}, 422),
    ("POST", "/forgot-password", {"json": {"email": "x@example.com"}}, 415),
    ("GET", "/.well-known/security.txt", {}, 200),
    ("GET", "/.well-known/change-password", {}, 303),
    ("GET", "/undo-email-change?token=x", {"headers": HTML}, 422),
    ("POST", "/undo-email-change", {"headers": JSON | {"Content-Type": "application/x-www-form-urlencoded"}}, 422),
    ("GET", "/account", {"headers": HTML}, 303),
    ("GET", static_files.url("app.css"), {}, 200),
    ("GET", "/static/app.css", {}, 200),
    ("GET", "/static/nothing.css", {}, 404),
    ("GET", "/static/", {}, 404),
    ("GET", "/static/..%2fpyproject.toml", {}, 404),
    ("GET", "/static/app.css%00", {}, 404),
    ("POST", "/static/app.css", {"headers": HTML}, 405),
    ("GET", "/dashboard", {"headers": HTML}, 303),
    ("GET", "/dashboard", {"headers": JSON}, 401),
    ("GET", "/api/auth/me", {}, 401),
    ("GET", "/nowhere", {"headers": HTML}, 404),
    ("GET", "/nowhere", {"headers": JSON}, 404),
    ("GET", "/api/nowhere", {"headers": HTML}, 404),
    ("GET", "/.git/HEAD", {}, 404),
    ("GET", "/.env", {}, 404),
    ("GET", "/docs", {}, 404),
    ("GET", "/openapi.json", {}, 200),
    ("GET", "/login/", {}, 404),
    ("DELETE", "/login", {}, 405),
    ("PUT", "/api/auth/me", {}, 405),
    ("TRACE", "/", {}, 405),
    ("FOO", "/login", {}, 405),
    ("OPTIONS", "/login", {}, 405),
    ("GET", "/logout", {"headers": HTML}, 405),
    ("POST", "/login", {"content": b"x" * (1024 * 1024 + 1)}, 413),
    ("POST", "/login", {"headers": {"Content-Type": "text/plain"}, "content": b"x"}, 415),
    ("POST", "/login", {"headers": {"Content-Encoding": "gzip"}, "content": b"x"}, 415),
    ("POST", "/api/auth/login", {"data": {"email": "x"}}, 415),
    ("POST", "/login", {"data": {"email": "x"}}, 422),
    ("POST", "/api/auth/login", {"json": {"email": 1}}, 422),
    ("POST", "/api/auth/login", {"headers": JSON, "content": b"{"}, 400),
    ("POST", "/login", {"headers": {"Origin": "https://evil.example"}, "data": {}}, 403),
    ("GET", "/", {"headers": {"Host": "evil.example"}}, 400),
    ("GET", "/?q=%ff", {}, 400),
    ("GET", "/%ff", {}, 400),
    ("GET", "/", {"headers": [(b"accept", b"\xff\xfe")]}, 400),
    ("GET", "/login", {"headers": [(b"cookie", b"\xff=\xfe; __Host-access=x")]}, 200),
    ("GET", "/", {"headers": {"X-Big": "x" * 40_000}}, 431),
]


def check(response: httpx.Response) -> None:
    names = [name.decode().lower() for name, _ in response.headers.raw]
    assert sorted(name for name in names if name in ONCE) == sorted(ONCE), names
    policy = response.headers["content-security-policy"]
    for rule in (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ):
        assert rule in policy
    assert re.search(r"script-src 'self' 'nonce-[\w-]{22,}'", policy)
    assert "unsafe" not in policy
    linked = ("/verify-email", "/reset-password", "/undo-email-change")
    by_link = response.request.method != "POST" and response.request.url.path in linked
    assert response.headers["referrer-policy"] == ("strict-origin" if by_link else "same-origin")
    assert "includeSubDomains" in response.headers["strict-transport-security"]
    assert not {"server", "x-powered-by"} & set(names)
    if response.content and response.status_code >= 400:
        kind = response.headers["content-type"]
        assert kind in ("application/problem+json", "text/html; charset=utf-8")
        if response.status_code != 422:  # a form with its messages is no error page
            assert response.headers["x-request-id"] in response.text


# v5.0.0-3.2.1, v5.0.0-3.4.1, v5.0.0-3.4.3, v5.0.0-3.4.4, v5.0.0-3.4.5, v5.0.0-3.4.6, v5.0.0-3.4.8
# v5.0.0-3.5.8, v5.0.0-4.1.1
@pytest.mark.parametrize(("method", "path", "options", "status"), EVERYTHING, ids=lambda value: str(value)[:40])
async def test_every_kind_of_answer_has_the_headers_once(
    client: Visitor, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    answer = await client.request(method, path, **options)

    assert answer.status_code == status
    check(answer)
    if status == 405:
        assert answer.headers["allow"]


# v5.0.0-13.4.2, v5.0.0-16.5.1
async def test_server_error_has_the_headers_and_no_internals(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """v5.0.0-16.5.1"""
    monkeypatch.setattr("app.home.pages.templates.page", lambda *_: 1 / 0)
    for headers in (HTML, JSON):
        answer = await client.get("/", headers=headers)

        assert answer.status_code == 500
        check(answer)
        assert "division" not in answer.text
        assert "Traceback" not in answer.text


# v5.0.0-3.4.3
async def test_nonce_is_new_each_time(client: Visitor) -> None:
    policies = {(await client.get("/login")).headers["content-security-policy"] for _ in range(5)}

    assert len(policies) == 5


# v5.0.0-4.2.2
@pytest.mark.parametrize("route", [row for row in route_table() if row["method"] == "GET"], ids=lambda row: row["path"])
async def test_head_equals_get_without_the_body(client: Visitor, clock: Clock, route: dict[str, str]) -> None:
    """At the same moment: pages say how long ago something was."""
    await sign_in(client, await make_user(role="admin"))
    path = route["path"].replace("{action}", "deactivate")
    path = re.sub(r"\{\w+\}", SOME_ID, path)

    get, head = await client.get(path, headers=HTML), await client.head(path, headers=HTML)

    assert (head.status_code, head.content) == (get.status_code, b"")
    differ = {"x-request-id", "content-security-policy", "date"}
    if path == "/account/second-factor":
        differ.add("content-length")  # each page offers another secret, and its picture has another length
    assert {k: v for k, v in head.headers.items() if k not in differ} == {
        k: v for k, v in get.headers.items() if k not in differ
    }
    check(head)


# v5.0.0-14.3.2, v5.0.0-14.2.2
async def test_personal_pages_are_never_kept(client: Visitor) -> None:
    """v5.0.0-14.3.2"""
    await sign_in(client, await make_user(role="admin"))

    for path in (
        "/", "/dashboard", "/admin/users", "/api/auth/me", "/step-up", "/account", "/account/sessions",
        "/account/activity", "/account/email", "/account/export",
    ):  # fmt: skip
        assert (await client.get(path)).headers["cache-control"] == "no-store", path


async def test_static_files_are_kept_for_ever_and_set_no_cookie(client: Visitor) -> None:
    answer = await client.get(static_files.url("app.css"))

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "set-cookie" not in answer.headers
    again = await client.get(static_files.url("app.css"), headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    check(again)


# v5.0.0-7.4.4
@pytest.mark.parametrize(
    "path",
    sorted(
        row["path"]
        for row in route_table()
        if row["method"] == "GET"
        and row["permission"] not in ("Public", "NoAuthentication", "Developer")
        and not re.search(r"^/api/|[{.]|/export$", row["path"])
    ),
)
async def test_every_private_page_has_the_way_out(client: Visitor, path: str) -> None:
    await sign_in(client, await make_user(role="admin"))

    answer = await client.visit(path)

    assert answer.status_code == 200
    assert '<form action="/logout" method="post">' in answer.text


# v5.0.0-14.2.5
@pytest.mark.parametrize("path", ["/dashboard/x.css", "/dashboard;.js", "/dashboard%2fx.png", "/account/x.css"])
async def test_private_page_has_no_name_that_looks_cacheable(client: Visitor, path: str) -> None:
    """v5.0.0-14.2.5: web cache deception."""
    await sign_in(client, await make_user())

    assert (await client.get(path)).status_code == 404


# v5.0.0-4.1.3, v5.0.0-4.1.4
async def test_proxy_and_override_headers_of_a_client_change_nothing(client: Visitor) -> None:
    """v5.0.0-4.1.3, v5.0.0-4.1.4"""
    lies = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-HTTP-Method-Override": "DELETE"}

    plain, lied = await client.get("/login"), await client.get("/login", headers=lies)

    assert lied.status_code == 200
    assert "evil.example" not in lied.text + str(lied.headers)
    assert without_keys(lied.text) == without_keys(plain.text)
