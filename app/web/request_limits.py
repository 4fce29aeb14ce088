"""Limits on requests: size and form of URL, headers and body, the time for a body; HEAD as GET.

The middlewares `WellFormed`, `BodyLimit` and `Methods` stand inside the error boundary, which answers what they refuse.
Chapter: "Going live". Source: RFC 9110 sections 4.1 and 5.5; v5.0.0-4.2.*, v5.0.0-15.4.4.
"""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import anyio

from app.web.errors import Problem

# Bytes, without cookies: a sibling site may set many of those, and must not lock users out.
HEADERS_LIMIT = 32 * 1024
URL_LIMIT = 16 * 1024  # bytes of path and query; RFC 9110 asks for at least 8000 (section 4.1)
BODY_SECONDS = 60
# In cookies other bytes become "?", which no cookie's name holds; without them an attacker's name could be one of ours.
ASCII = bytes(range(0x80)) + b"?" * 0x80
# Headers that decide the response. In others, bytes that are not UTF-8 become U+FFFD (RFC 9110 section 5.5): clients
# and proxies put anything into User-Agent, Referer, and headers of their own.
DECIDING = frozenset(
    {b"host", b"origin", b"authorization", b"accept", b"content-type", b"content-length", b"content-encoding"}
)


class WellFormed:
    """Refuses malformed requests: 400 for bytes that are not UTF-8 or NUL in the query, 414 and 431 for too many.

    The framework fails (500) on such headers, and PostgreSQL on NUL. Stands before everything that reads a header.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            scope["headers"] = [(name.lower(), _readable(name.lower(), value)) for name, value in scope["headers"]]
            fault = _fault(scope)
            if fault and scope["type"] == "http":
                raise fault
            if fault:
                await send({"type": "websocket.close", "code": 1007})
                return
        await self.app(scope, receive, send)


class BodyLimit:
    """Answers 413 over `limit` bytes, counted as they arrive; 408 after BODY_SECONDS; 415 for a compressed body.

    413 also over `anonymous` bytes, unless `signed_in` says that the request has a session: other clients have short
    forms to send, and could hold a megabyte for a minute with each connection.
    The connection stays open: the server reads the rest and discards it, so a client that is still sending sees the
    response instead of a broken pipe.
    """

    def __init__(self, app: Any, *, limit: int, anonymous: int, signed_in: Callable[[Any], bool]) -> None:
        self.app = app
        self.limit, self.anonymous, self.signed_in = limit, min(anonymous, limit), signed_in

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Problem(415, "Send the body uncompressed.")  # a few bytes may unpack to gigabytes
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise Problem(400)
        most, announced = self.anonymous, int(length[:20])  # the first digits suffice; int() refuses thousands of them
        if announced > most:
            most = self._most(scope, announced)
        arrived, complete, deadline = 0, False, time.monotonic() + BODY_SECONDS

        async def limited() -> Any:
            nonlocal arrived, complete, most
            if complete:  # only a disconnect can follow
                return await receive()
            with anyio.move_on_after(deadline - time.monotonic()) as waiting:
                message = await receive()
            if waiting.cancelled_caught:
                raise Problem(408)
            arrived += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if arrived > most:
                most = self._most(scope, arrived)
            return message

        await self.app(scope, limited, send)

    def _most(self, scope: Any, size: int) -> int:
        """The limit with a session; `signed_in` is called only for a long body. Raises Problem 413."""
        if size > self.limit or not self.signed_in(scope):
            raise Problem(413)
        return self.limit


class Methods:
    """Routes HEAD as GET, so that it works wherever GET does; `urls.is_head_request` tells."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope |= {"method": "GET", "is_head_request": True}
        await self.app(scope, receive, send)


def _readable(name: bytes, value: bytes) -> bytes:
    if value.isascii() or name in DECIDING:
        return value
    return value.translate(ASCII) if name == b"cookie" else value.decode("utf-8", "replace").encode()


def _fault(scope: Any) -> Problem | None:
    raw_path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    if len(raw_path) + len(scope["query_string"]) > URL_LIMIT:
        return Problem(414)
    others = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    if sum(len(name) + len(value) for name, value in others) > HEADERS_LIMIT:
        return Problem(431)
    query = unquote_to_bytes(scope["query_string"].replace(b"+", b" "))
    path = unquote_to_bytes(raw_path)
    try:
        b" ".join((query, path, *(part for header in others for part in header))).decode("utf-8")
    except UnicodeDecodeError:
        return Problem(400)
    if b"\0" in path:
        return Problem(404)
    return Problem(400) if b"\0" in query else None
