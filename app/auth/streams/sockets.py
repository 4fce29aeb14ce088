"""WebSockets: a route with a permission, which the handshake needs and the open connection as well.

`web.same_origin` has refused handshakes of other sites before (cross-site WebSocket hijacking). A refused handshake
gets an HTTP status (401, 403, 429, 503) and is never accepted; an open socket is closed with 4401 or 4403. The server
sends pings, and bounds the size of a message (`server.run`).
Source: RFC 6455 sections 7.4 and 10.2; v5.0.0-4.4.2, v5.0.0-7.4.1.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from ravyn import WebSocketGateway, websocket

from app.auth.permissions import SignedIn
from app.auth.streams import open_streams
from app.auth.streams.open_streams import SEND_SECONDS, End, Stream
from app.observability import logs
from app.web import urls

log = logs.get("auth")

WAITING = 8  # messages that the handler has not taken: then no more are read from the connection
LEAVING_SECONDS = 10.0  # for the handler to return once the client has left


class ClosedError(Exception):
    """The connection is closed, or the client does not read."""


class Socket:
    """An accepted WebSocket, for text messages. Iterate over it for what the client sends, until it leaves."""

    def __init__(self, stream: Stream, send: Any) -> None:
        self._stream, self._send = stream, send
        self.messages: asyncio.Queue[str | None] = asyncio.Queue(WAITING)  # None: no more of them

    @property
    def user(self) -> Any:
        """The Principal as of the last check."""
        return self._stream.user

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self.messages.get()) is not None:
            yield text

    async def send(self, text: str) -> None:
        """Errors: ClosedError if the client has left, or does not read within SEND_SECONDS."""
        try:
            await asyncio.wait_for(self._send({"type": "websocket.send", "text": text}), SEND_SECONDS)
        except TimeoutError:
            self._stream.finish(End.TOO_SLOW)
            raise ClosedError from None
        except OSError:  # of the server: the connection is lost
            self._stream.finish(End.GONE)
            raise ClosedError from None


Handler = Callable[[Socket], Awaitable[None]]


def private_socket(path: str, handler: Handler, permission: type[SignedIn] = SignedIn) -> WebSocketGateway:
    """A WebSocket at `path` for those whom `permission` allows, as long as it does.

    The connection is accepted when `handler(socket)` is called, and closed when it returns. The handler is cancelled
    when the stream has to end. A binary message closes the connection (1003).
    """

    @websocket()
    async def socket(socket: Any) -> None:
        async with open_streams.opened(socket.scope, permission) as stream:
            await _run(handler, stream, socket.receive, socket.send)

    urls.no_page(path)
    gateway: Any = WebSocketGateway(path, handler=socket, permissions=[permission])
    gateway.permission = permission  # for the table of routes
    return gateway


async def _run(handler: Handler, stream: Stream, receive: Any, send: Any) -> None:
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    socket = Socket(stream, send)
    reading = asyncio.ensure_future(_read(socket, stream, receive))
    handling = asyncio.ensure_future(_handle(handler, socket, stream))
    ends: set[asyncio.Future[Any]] = {handling, stream.end}
    try:
        await asyncio.wait({*ends, reading}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done() and not stream.end.done():
            await asyncio.wait(ends, timeout=LEAVING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            stream.finish(End.GONE)
    finally:
        for task in (handling, reading):
            task.cancel()
        await asyncio.gather(handling, reading, return_exceptions=True)
    if not (reading.done() and not reading.cancelled()):  # the client is still there
        end = stream.end.result()
        with suppress(TimeoutError, OSError):
            last = send({"type": "websocket.close", "code": end.code, "reason": end.value[0]})
            await asyncio.wait_for(last, SEND_SECONDS)


async def _read(socket: Socket, stream: Stream, receive: Any) -> None:
    """Pass the client's messages on. Returns when it has left."""
    while (message := await receive())["type"] == "websocket.receive":
        if (text := message.get("text")) is None:
            stream.finish(End.NOT_TEXT)
        else:
            await socket.messages.put(text)
    await socket.messages.put(None)


async def _handle(handler: Handler, socket: Socket, stream: Stream) -> None:
    try:
        await handler(socket)
    except ClosedError:
        pass
    except Exception as error:
        end = open_streams.end_of(error)
        if end is End.FAILED:
            log.exception("stream_failed")
        stream.finish(end)
    stream.finish(End.DONE)
