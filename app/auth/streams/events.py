"""Event streams: a response that goes on, one event after another, to one browser (server-sent events).

The framework's StreamingResponse is always one event behind, and its EventStreamResponse lets a line end in the data
start a new field. The stream's last event says why it ends (`open_streams.End`).
Source: WHATWG HTML section 9.2 (server-sent events); v5.0.0-3.5.3.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, NamedTuple

from lilya.responses import Response
from ravyn import Gateway, get

from app.auth import permissions
from app.auth.permissions import SignedIn
from app.auth.streams import open_streams
from app.auth.streams.open_streams import SEND_SECONDS, End, Stream
from app.observability import logs
from app.web import urls
from app.web.errors import Problem
from app.web.same_origin import TRUSTED_SITES

log = logs.get("auth")

HEARTBEAT_SECONDS = 20.0  # nginx, HAProxy and most balancers cut a connection that is silent for 60
HEARTBEAT = b":\n\n"


class Event(NamedTuple):
    """`name`: letters and underscores. `data`: anything that JSON can say."""

    name: str
    data: Any = None

    def encoded(self) -> bytes:
        """As bytes of the stream. JSON holds no line end, so data can start no field of its own."""
        if not self.name.isidentifier():
            raise ValueError("an event's name has letters and underscores only")
        return f"event: {self.name}\ndata: {json.dumps(self.data)}\n\n".encode("ascii")


Source = Callable[[Stream], AsyncGenerator[Event, None]]


def private_events(
    path: str, source: Source, permission: type[SignedIn] = SignedIn, *, cache_control: str = "no-store"
) -> Gateway:
    """A route that streams what `source(stream)` yields, to those whom `permission` allows, as long as it does.

    `source` is an async generator. It is asked for the next event when the last one is sent, so a slow client holds it
    up and nothing piles up. It is closed when the stream ends. `stream.user` is the user as of the last check.
    A refusal is an error response as on every route: 401, 403, 429, 503.
    `cache_control`: only for a stream whose events say nothing private: Chromium keeps no page for its back button that
    has fetched a response with `no-store`.
    """

    urls.no_page(path)

    @get()
    async def events() -> Any:
        return EventStream(source, permission, cache_control)

    return permissions.private(path, events, permission, stream=True)


class EventStream(Response):
    """The response of a route of `private_events`."""

    def __init__(self, source: Source, permission: type[SignedIn], cache_control: str) -> None:
        # nginx would hold the events back until its buffer is full.
        headers = {"X-Accel-Buffering": "no", "Cache-Control": cache_control}
        super().__init__(b"", media_type="text/event-stream", headers=headers)
        del self.headers["content-length"]
        self.source, self.permission = source, permission

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if dict(scope["headers"]).get(b"sec-fetch-site", b"none").decode("latin-1") not in TRUSTED_SITES:
            raise Problem(403, "This request did not come from a page of this site, so it was refused.")
        if urls.is_head_request(scope):
            await self._start(send)
            await send({"type": "http.response.body", "body": b""})
            return
        async with open_streams.opened(scope, self.permission) as stream:
            await self._start(send)
            left = asyncio.ensure_future(_left(receive))
            try:
                await self._run(stream, left, send)
            finally:
                left.cancel()
                await asyncio.wait({left})

    async def _start(self, send: Any) -> None:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers, "endless": True})

    async def _run(self, stream: Stream, left: "asyncio.Future[None]", send: Any) -> None:
        async with aclosing(self.source(stream)) as source:
            waiting: asyncio.Future[Event] | None = None
            try:
                await _write(stream, send, HEARTBEAT)  # so that the headers arrive
                while not (stream.end.done() or left.done()):
                    waiting = waiting or asyncio.ensure_future(anext(source))
                    ends: set[asyncio.Future[Any]] = {waiting, stream.end, left}
                    await asyncio.wait(ends, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                    if waiting.done():
                        done, waiting = waiting, None
                        await _write(stream, send, _next(stream, done))
                    elif not (stream.end.done() or left.done()):
                        await _write(stream, send, HEARTBEAT)
            finally:
                if waiting:
                    waiting.cancel()
                    with suppress(asyncio.CancelledError, Exception):
                        await waiting
        if stream.end.done() and stream.end.result() is End.TOO_SLOW:
            return
        # Nobody reads it where the client has left. The server wants it where the body of the request ended the stream.
        body = b"" if left.done() else Event(stream.end.result().value[0]).encoded()
        with suppress(TimeoutError):
            await asyncio.wait_for(send({"type": "http.response.body", "body": body}), SEND_SECONDS)


def _next(stream: Stream, done: "asyncio.Future[Event]") -> bytes:
    """The bytes of the next event; none if the source has ended or failed, which ends the stream."""
    try:
        return done.result().encoded()
    except StopAsyncIteration:
        stream.finish(End.DONE)
    except Exception as error:
        end = open_streams.end_of(error)
        if end is End.FAILED:
            log.exception("stream_failed")
        stream.finish(end)
    return b""


async def _write(stream: Stream, send: Any, part: bytes) -> None:
    """Send a part, unless the client has not read the parts before: that ends the stream."""
    sending = asyncio.ensure_future(send({"type": "http.response.body", "body": part, "more_body": True}))
    await asyncio.wait({sending, stream.end}, timeout=SEND_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if not sending.done():
        stream.finish(End.TOO_SLOW)
        sending.cancel()
    elif error := sending.exception():
        raise error


async def _left(receive: Any) -> None:
    """Returns when the client has closed the connection, or has sent a body beyond the bounds of all bodies."""
    with suppress(Problem):
        while (await receive())["type"] != "http.disconnect":
            pass
