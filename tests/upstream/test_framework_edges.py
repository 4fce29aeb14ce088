"""What the framework does at its edges as it comes: the reasons for the middleware of app/web.

A test that fails says that a release has closed the hole: then the part of app/web that it names may go.
"""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from lilya.clientip import get_ip
from lilya.middleware import DefineMiddleware
from lilya.requests import Request as LilyaRequest
from lilya.responses import Response
from ravyn import Gateway, Include, Ravyn, get, post
from ravyn.core.config import CSRFConfig

pytestmark = pytest.mark.upstream


@get("/fine")
async def fine() -> Any:
    return "fine"


@post("/fine")
async def post_fine() -> Any:
    return "fine"


@get("/bug")
async def bug() -> Any:
    raise RuntimeError("the secret is hunter2")


@get("/slow")
def slow() -> Any:
    return threading.get_ident()


class Mark:
    """A middleware that puts a header on every answer it sees."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-mark", b"1")]}
            await send(message)

        await self.app(scope, receive, marked)


@asynccontextmanager
async def client(*routes: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = Ravyn(routes=list(routes), **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as made:
        yield made


async def answer(method: str, path: str, *routes: Any, headers: Any = None, **options: Any) -> httpx.Response:
    async with client(*(routes or (Gateway(handler=fine),)), **options) as site:
        return await site.request(method, path, headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/fine", 405), ("GET", "/bug", 500)]
)
async def test_errors_are_answered_outside_of_the_users_middleware(method: str, path: str, status: int) -> None:
    """errors.ErrorBoundary"""
    routes = [Gateway(handler=fine), Gateway(handler=bug)]

    found = await answer(method, path, *routes, middleware=[DefineMiddleware(Mark)])

    assert found.status_code == status
    assert "x-mark" not in found.headers


async def test_an_exception_is_shown_to_the_client(caplog: pytest.LogCaptureFixture) -> None:
    """errors.ErrorBoundary"""
    found = await answer("GET", "/bug", Gateway(handler=bug), debug=False)

    assert "hunter2" in found.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("kind", [500, Exception])
async def test_a_handler_for_every_exception_is_ignored(kind: Any) -> None:
    """errors.ErrorBoundary"""

    async def handler(request: Any, exc: Any) -> Any:
        return Response("ours", status_code=500)

    found = await answer("GET", "/bug", Gateway(handler=bug), exception_handlers={kind: handler}, debug=False)

    assert found.text != "ours"


async def test_exception_handlers_of_one_route_catch_for_all() -> None:
    """routes.refuse_unsafe"""

    async def handler(request: Any, exc: Any) -> Any:
        return Response("the other route's", status_code=500)

    routes = [Gateway(handler=fine, exception_handlers={RuntimeError: handler}), Gateway(handler=bug)]

    found = await answer("GET", "/bug", *routes)

    assert found.text == "the other route's"


async def test_a_header_that_is_no_utf_8_is_a_500() -> None:
    """request_limits.WellFormed"""

    @get("/asks")
    async def asks(request: LilyaRequest) -> Any:
        return request.headers.get("x")

    found = await answer("GET", "/asks", Gateway(handler=asks), headers={"X": b"\xff"})

    assert found.status_code == 500


async def test_a_body_has_no_limit() -> None:
    """request_limits.BodyLimit"""

    @post("/size", status_code=200)
    async def size(data: dict[str, str]) -> Any:
        return len(data["x"])

    async with client(Gateway(handler=size)) as site:
        found = await site.post("/size", json={"x": "x" * 20_000_000})

    assert found.json() == 20_000_000


async def test_head_is_405_where_get_answers() -> None:
    """request_limits.Methods"""
    assert (await answer("HEAD", "/fine")).status_code == 405


async def test_405_names_no_methods() -> None:
    """routes.methods_at"""
    found = await answer("POST", "/fine")

    assert (found.status_code, "allow" in found.headers) == (405, False)


@pytest.mark.parametrize("path", ["/fine/", "/in/fine/"])
async def test_a_trailing_slash_redirects_to_whatever_host_says(path: str) -> None:
    """redirect_slashes=False, on the application and on every Include"""
    routes = [Gateway(handler=fine), Include("/in", routes=[Gateway(handler=fine)])]

    found = await answer("GET", path, *routes, headers={"Host": "evil.example"})

    assert found.headers["location"] == f"http://evil.example{path[:-1]}"


async def test_an_include_redirects_though_the_application_does_not() -> None:
    """routes.refuse_unsafe"""
    routes = [Include("/in", routes=[Gateway(handler=fine)])]

    found = await answer("GET", "/in/fine/", *routes, redirect_slashes=False)

    assert "location" in found.headers


async def test_a_trailing_slash_turns_post_into_get() -> None:
    """redirect_slashes=False"""
    found = await answer("POST", "/fine/", Gateway(handler=post_fine))

    assert found.status_code == 303


async def test_allowed_hosts_answers_outside_of_all_middleware() -> None:
    """origin.TrustedHost"""
    found = await answer(
        "GET", "/fine", allowed_hosts=["testserver"], headers={"Host": "x"}, middleware=[DefineMiddleware(Mark)]
    )

    assert found.status_code == 400
    assert "x-mark" not in found.headers


async def test_every_host_is_trusted_unless_told() -> None:
    """origin.TrustedHost"""
    assert (await answer("GET", "/fine", headers={"Host": "evil.example"})).status_code == 200


async def test_a_synchronous_handler_holds_up_the_event_loop() -> None:
    """routes.refuse_unsafe"""
    found = await answer("GET", "/slow", Gateway(handler=slow))

    assert found.json() == threading.get_ident()


def test_the_leftmost_forwarded_address_is_believed() -> None:
    """client.of reads the peer, which uvicorn fills in for trusted proxies alone"""
    headers = [(b"x-forwarded-for", b"192.0.2.66, 198.51.100.1")]

    assert (
        get_ip({"type": "http", "headers": headers, "client": ("127.0.0.1", 1)}, trusted_proxies=["127.0.0.1"])
        == "192.0.2.66"
    )


async def test_a_planted_pair_passes_the_csrf_middleware() -> None:
    """origin.SameOrigin"""
    config = CSRFConfig(secret="x" * 32)
    async with client(Gateway(handler=fine), Gateway(handler=post_fine), csrf_config=config) as attacker:
        token = (await attacker.get("/fine")).cookies[config.cookie_name]
    async with client(Gateway(handler=post_fine), csrf_config=config) as victim:
        headers = {"Cookie": f"{config.cookie_name}={token}", config.header_name: token}

        assert (await victim.post("/fine", headers=headers)).status_code == 201
