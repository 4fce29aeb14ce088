"""The HTTP/1.1 protocol: limits for heads, bodies and idle connections that uvicorn lacks.

Without them, one connection can fill the memory with an endless header or stay open for ever, and many connections can
fill it with endless requests (`in_flight`). Other limits: `web.bodies` for the size of bodies, `run.UNREAD_SECONDS` for
responses that the client does not read. A request refused here never reaches the application, so this module writes the
response, with the same security headers.
Source: v5.0.0-15.2.2; RFC 9110 section 15.5, RFC 6585 section 5; RFC 9112 section 9.5 (idle connections).
"""

import asyncio
import logging
import secrets
from functools import cache
from http import HTTPStatus
from time import monotonic
from typing import Any
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.auth.streams import open_streams
from app.auth.streams.open_streams import End
from app.server import framing, in_flight
from app.server.forwarded import IgnoredHeaders
from app.settings import get_settings
from app.web import request_limits, security_headers

HEAD_BYTES = (
    768 * 1024
)  # room for all cookies that a browser stores for one site; `request_limits.WellFormed` limits the rest
HEAD_LINES = 256  # each one becomes three Python objects
HEAD_SECONDS = 20

_idle: dict["BoundedProtocol", None] = {}  # idle connections of this worker, the longest idle first


@cache
def _ignored_headers(config: Any) -> IgnoredHeaders:
    """One for all connections of this worker."""
    return IgnoredHeaders(config.forwarded_allow_ips if config.proxy_headers else "")


class BoundedProtocol(HttpToolsProtocol):
    """Limits a head to HEAD_BYTES and HEAD_SECONDS, and closes idle connections.

    Stock: after a single byte behind a response, the connection is never closed. And an idle connection is closed after
    5 seconds, while a proxy that keeps it longer sends the next request on it: a 502.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head = True
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._answering: Any = None
        self._drained = False
        self._fault = HTTPStatus.BAD_REQUEST
        self.timeout_keep_alive = get_settings().keep_alive_seconds

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        _idle.pop(self, None)
        in_flight.requests.forget(self)
        if self._answering:  # stock: only the last of several pipelined requests learns that the client disconnected
            self._answering.disconnected |= not self._answering.response_complete
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)  # stops uvicorn's keep-alive timer, whatever arrived
        if self.transport.is_closing() or self not in self.connections:
            return  # closed, or upgraded to a WebSocket
        if self._in_head:
            self._bound_head(len(data))
        elif self.cycle.response_complete:
            self._bound_leftovers()
            return
        elif len(self.headers) > HEAD_LINES:  # trailers
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not self.transport.is_closing():
            in_flight.requests.add(self, len(data))

    def shutdown(self) -> None:
        """The server stops: streams end at once. Stock: it waits for them, and then cuts them off."""
        open_streams.finish_all(End.RESTART)
        super().shutdown()

    def is_unfinished(self) -> bool:
        """Whether the request is incomplete and its response has not started."""
        return self._in_head or (self.cycle.more_body and not self.cycle.response_started)

    def drop(self) -> None:
        """Refuse the current request with 503 to free its memory."""
        self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def on_message_begin(self) -> None:
        if not self._in_head:
            self._stop_timer()
        _idle.pop(self, None)
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if fault := self._too_much() or framing.fault(self.parser.get_http_version(), self.url, self.headers):
            self._fault = fault
            raise ValueError(fault.phrase)  # the parser passes it on, and uvicorn calls `send_400_response`
        self._in_head = False
        self._stop_timer()
        _ignored_headers(self.config).look(self.client[0] if self.client else "", self.headers, monotonic())
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            # Stock: trailers after a chunked body would be added to the headers, past the checks of a proxy.
            self.headers: list[tuple[bytes, bytes]] = []

    def handle_websocket_upgrade(self) -> None:
        """Stock: a handshake that the library cannot parse gets no response, and the connection stays open for ever."""
        super().handle_websocket_upgrade()
        in_flight.requests.forget(self)
        if not self.transport.get_protocol().handshake_initiated:  # type: ignore[attr-defined]
            self._refuse(HTTPStatus.BAD_REQUEST)

    def on_message_complete(self) -> None:
        self._drained = self.cycle is not None and self.cycle.response_complete  # no cycle: a WebSocket's handshake
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        in_flight.requests.forget(self)
        if self.timeout_keep_alive_task:  # uvicorn's keep-alive timer runs: the connection is idle
            _idle[self] = None
            if len(_idle) > get_settings().keep_alive_connections:
                longest = next(iter(_idle))
                del _idle[longest]
                longest.timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._fault)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _bound_head(self, size: int) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)
        self._head_bytes += size
        if fault := self._too_much():
            self._refuse(fault)

    def _too_much(self) -> HTTPStatus | None:
        if self.headers is not None and len(self.url) > request_limits.URL_LIMIT:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        if self._head_bytes > HEAD_BYTES or len(self.headers or ()) > HEAD_LINES:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return None

    def _bound_leftovers(self) -> None:
        """Limit the time of data after a response: rest of an unread body, or empty lines. A new request ends it."""
        if self._drained:  # the body is complete, and the connection is idle from now on
            self._drained = False
            self._stop_timer()
            self._timer = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        elif self._timer is None:
            self._timer = self.loop.call_later(request_limits.BODY_SECONDS, self.timeout_keep_alive_handler)

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Respond and close: later data on the connection cannot be separated from the rest of this request."""
        in_flight.requests.forget(self)
        if (cycle := self._answering) and not cycle.response_complete:
            cycle.disconnected = True  # it gets no response, or no more of it
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        text = f"{status.value} {status.phrase}\n".encode()
        policy = security_headers.POLICY.format(nonce=secrets.token_urlsafe(security_headers.NONCE_BYTES))
        answer = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
            (b"connection", b"close"),
            *([(b"retry-after", b"5")] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
            (b"content-security-policy", policy.encode()),
            (b"x-request-id", str(uuid4()).encode()),
            *security_headers.DEFAULTS,
            *security_headers.ALWAYS,
            *([security_headers.STRICT_TRANSPORT] if get_settings().public_origin.startswith("https:") else []),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in answer)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + text)
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


class QuietWebSocket(WebSocketsSansIOProtocol):
    """Stock: the line in the log of each handshake has its query, which may hold secrets. And each handshake that is
    refused with a status is logged as an error of the application, although its response is complete.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = logging.getLogger("uvicorn.websockets")

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True
