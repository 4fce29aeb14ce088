"""What the framework's responses and sockets do as they come: the reasons for parts of app/web.

A test that fails says that a release has closed the hole: then the part of app/web that it names may go.
"""

from typing import Any

import pytest
from lilya.responses import Response
from ravyn import Ravyn, WebSocketGateway, websocket

pytestmark = pytest.mark.upstream

SOCKET = {
    "type": "websocket", "scheme": "wss", "path": "/socket", "raw_path": b"/socket", "query_string": b"",
    "root_path": "", "headers": [(b"host", b"testserver"), (b"origin", b"https://evil.example")],
}  # fmt: skip


async def connect() -> Any:
    return {"type": "websocket.connect"}


async def test_a_dict_of_headers_is_written_into() -> None:
    """errors.answer, render.page: a fresh dict each time"""
    shared: dict[str, str] = {}
    Response("long answer", headers=shared)

    second = Response("x", headers=shared)

    assert second.headers["content-length"] == "11"


async def test_a_handshake_of_another_site_is_accepted() -> None:
    """origin.SameOrigin"""
    sent: list[str] = []

    @websocket("/socket")
    async def socket(socket: Any) -> None:
        await socket.accept()
        await socket.close()

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await Ravyn(routes=[WebSocketGateway(handler=socket)])({**SOCKET}, connect, send)

    assert "websocket.accept" in sent


async def test_a_socket_that_fails_says_why() -> None:
    """errors.ErrorBoundary"""
    sent: list[Any] = []

    @websocket("/socket")
    async def socket(socket: Any) -> None:
        raise RuntimeError("the secret is hunter2")

    async def send(message: Any) -> None:
        sent.append(message)

    await Ravyn(routes=[WebSocketGateway(handler=socket)])({**SOCKET}, connect, send)

    assert "hunter2" in sent[-1]["reason"]


async def test_a_response_writes_line_ends_into_headers() -> None:
    """headers.SecurityHeaders"""
    assert b"a\r\nSet-Cookie: b" in dict(Response("", headers={"X": "a\r\nSet-Cookie: b"}).raw_headers).values()
