"""The same-origin rule as a table, and the middleware that asks it."""

from typing import Any

import pytest

from app.web.same_origin import allowed
from tests.support.visitor import Visitor
from tests.web import assembled

OURS = "https://app.example"


# v5.0.0-3.5.1
@pytest.mark.parametrize(
    ("site", "origin", "has_our_cookies", "expected"),
    [
        ("same-origin", None, True, True),
        ("none", None, True, True),
        ("same-origin", "https://evil.example", True, True),  # the browser's own word; a page cannot set it
        ("same-site", None, False, False),
        ("cross-site", None, False, False),
        ("cross-site", OURS, False, False),
        ("Same-Origin", None, True, False),
        ("same-origin, same-origin", None, True, False),
        ("", None, False, False),
        (None, OURS, True, True),
        (None, OURS, False, True),
        (None, "http://app.example", True, False),
        (None, "https://app.example:8443", True, False),
        (None, "https://app.example.evil.example", True, False),
        (None, "https://sub.app.example", True, False),
        (None, "https://evil.example", False, False),
        (None, "null", False, False),
        (None, "null", True, False),
        (None, "", False, False),
        (None, f"{OURS}/", True, False),
        (None, f"{OURS}, {OURS}", True, False),
        (None, None, False, True),
        (None, None, True, False),
    ],
)
@pytest.mark.pattern("learn-more")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "FOO", "WEBSOCKET"])
def test_the_rule_for_what_changes_something(
    method: str, site: str | None, origin: str | None, has_our_cookies: bool, expected: bool
) -> None:
    assert allowed(method, site=site, origin=origin, ours=OURS, has_our_cookies=has_our_cookies) is expected


# v5.0.0-3.5.3
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_reading_is_allowed_from_everywhere(method: str) -> None:
    assert allowed(method, site="cross-site", origin="https://evil.example", ours=OURS, has_our_cookies=True)


# v5.0.0-3.7.5
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://testserver"}, 200),
        ({"Origin": "http://testserver"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 200),
        ({"Cookie": f"{assembled.OUR_COOKIE}=x"}, 403),
        ({"Cookie": f"{assembled.OUR_COOKIE}=x", "Origin": "https://testserver"}, 200),
        ({"Cookie": "theme=dark"}, 200),
    ],
)
async def test_the_middleware_asks_the_rule(site: Visitor, headers: dict[str, str], status: int) -> None:
    answer = await site.post("/optional", headers=headers)

    assert answer.status_code == status


async def test_in_production_the_public_origin_counts_and_not_the_host() -> None:
    app = assembled.create_app(public_origin="https://app.example")
    async with Visitor(app) as site:
        ours = await site.post("/optional", headers={"Origin": "https://app.example"})
        host = await site.post("/optional", headers={"Origin": "https://testserver"})

    assert (ours.status_code, host.status_code) == (200, 403)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("testserver", 200),
        ("TESTSERVER", 200),
        ("testserver:8000", 200),
        ("evil.example", 400),
        ("testserver.evil.example", 400),
        ("evil.example:testserver", 400),
        ("testserver@evil.example", 400),
        ("testserver:", 200),
        ("testserver.", 200),
        ("testserver.:8000", 200),
        ("[::1]", 200),
        ("[0:0::1]:8000", 200),
        ("[::2]", 400),
        ("::1", 400),
        ("testserver..", 400),
        ("testserver:evil", 400),
        ("", 400),
    ],
)
async def test_an_unknown_host_is_refused(site: Visitor, host: str, status: int) -> None:
    answer = await site.get("/seen", headers={"Host": host})

    assert answer.status_code == status
    assert "evil" not in answer.text


async def test_host_that_is_no_host_is_known_to_nobody() -> None:
    """A setting that names none must not make "no host" a name of ours."""
    app = assembled.create_app(known=["::1", "", "testserver"])
    async with Visitor(app) as site:
        answers = [(await site.get("/seen", headers={"Host": host})).status_code for host in ("", "::1", "testserver")]

    assert answers == [400, 400, 200]


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("testserver:443", "https://testserver", 200),
        ("[::1]:8000", "https://[::1]:8000", 200),
        ("[0::1]:8000", "https://[::1]:8000", 200),
        ("[::1]:8000", "https://[::1]", 403),
        ("testserver", "https://testserver.", 403),
    ],
)
async def test_in_development_the_host_asked_for_is_the_origin(
    site: Visitor, host: str, origin: str, status: int
) -> None:
    answer = await site.post("/optional", headers={"Host": host, "Origin": origin})

    assert answer.status_code == status


async def test_development_names_the_setting_beside_the_refusal() -> None:
    app = assembled.create_app(advice="Set PUBLIC_ORIGIN.")
    async with Visitor(app) as site:
        answer = await site.get("/seen", headers={"Host": "192.168.1.7:8000"})

    assert "This server does not serve that host. Set PUBLIC_ORIGIN." in answer.text


async def test_two_hosts_are_refused(site: Visitor) -> None:
    answer = await site.get("/seen", headers=[("Host", "testserver"), ("Host", "evil.example")])

    assert answer.status_code == 400


async def handshake(app: Any, *headers: tuple[bytes, bytes]) -> list[str]:
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, str]) -> None:
        sent.append(message["type"])

    scope = {
        "type": "websocket", "scheme": "wss", "path": "/socket", "raw_path": b"/socket", "query_string": b"",
        "root_path": "", "headers": [(b"host", b"testserver"), *headers], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await app(scope, receive, send)
    return sent


async def test_a_websocket_of_our_own_page_is_accepted(web_app: Any) -> None:
    assert "websocket.accept" in await handshake(web_app, (b"origin", b"https://testserver"))


@pytest.mark.parametrize(
    "headers",
    [
        [(b"origin", b"https://evil.example")],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"cookie", b"__Host-access=x")],
        [(b"origin", b"https://testserver"), (b"authorization", b"\xff")],
        [(b"host", b"evil.example"), (b"origin", b"https://testserver")],
    ],
)
async def test_any_other_websocket_is_closed(web_app: Any, headers: list[tuple[bytes, bytes]]) -> None:
    assert await handshake(web_app, *headers) == ["websocket.close"]
