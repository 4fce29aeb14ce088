"""Security headers on every answer, each exactly once, and bounds on what may come in.

`SecurityHeaders` is outermost and gives each request its id and its line in the log. `WellFormed`, `BodyLimit` and
`Methods` stand inside the error boundary, which answers what they refuse.
Chapter: "Going live".
Source: the OWASP Secure Headers Project; CSP Level 3; v5.0.0-3.4.*, v5.0.0-4.2.*, v5.0.0-15.4.4, v5.0.0-16.4.1.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import anyio

from app.observability import logs, metrics
from app.web import client
from app.web.errors import Problem

log = logs.get("web")
Headers = list[tuple[bytes, bytes]]

NONCE_BYTES = 18  # 144 bits; CSP asks for 128
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
# The only other one: for the HTML part of a letter in the mailbox of a developer. It has styles of its own, no more.
EMAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
        b"microphone=(), midi=(), payment=(), usb=()",
    ),
]
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")  # a year, v5.0.0-3.4.1
# What a handler may say otherwise. no-referrer would make browsers send `Origin: null` with our own forms.
DEFAULTS: Headers = [(b"cache-control", b"no-store"), (b"referrer-policy", b"same-origin")]
# Ours alone to set, or nobody's to know (v5.0.0-13.4.6).
REPLACED = frozenset(
    {name for name, _ in ALWAYS}
    | {STRICT_TRANSPORT[0], b"content-security-policy", b"x-request-id", b"server", b"x-powered-by"}
)

# Bytes, cookies apart: a sibling site may plant many of those, and must not lock anybody out.
HEADERS_LIMIT = 32 * 1024
URL_LIMIT = 16 * 1024  # bytes of path and query; 8000 are to be taken (RFC 9110 section 4.1)
BODY_SECONDS = 60
PLAIN = re.compile(r"[\w/.-]*", re.ASCII)
LINE_END = re.compile(rb"[\r\n\0]")
# In cookies other bytes become "?", which no cookie's name holds; dropping them would make a planted name a good one.
ASCII = bytes(range(0x80)) + b"?" * 0x80
# What an answer depends on. In any other header bytes that are no text become U+FFFD (RFC 9110 section 5.5): programs
# and proxies put what they like into User-Agent, Referer, and headers of their own.
DECIDING = frozenset(
    {b"host", b"origin", b"authorization", b"accept", b"content-type", b"content-length", b"content-encoding"}
)


class SecurityHeaders:
    """Makes `client.current()`, `scope["csp_nonce"]` and the headers.

    `https`: the site is reached over https even where the last hop to this process is not. `who`: what the log says of
    the one who asked, given the scope after the answer.
    """

    def __init__(
        self, app: Any, *, https: bool = False, who: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    ) -> None:
        self.app = app
        self.https = https
        self.who = who

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        # A copy: `Methods` changes the method in it, and the server, which leaves out the body for HEAD, has its own.
        scope = {**scope, "csp_nonce": secrets.token_urlsafe(NONCE_BYTES)}
        with client.of(scope) as asking:
            if scope["type"] == "websocket":
                await self.app(scope, receive, send)
            else:
                await self._answer(scope, receive, send, asking.request_id)

    async def _answer(self, scope: Any, receive: Any, send: Any, request_id: str) -> None:
        method, started, status = scope["method"], time.perf_counter(), 500  # `Methods` changes the first
        ours = [
            *ALWAYS,
            (b"content-security-policy", POLICY.format(nonce=scope["csp_nonce"]).encode("ascii")),
            (b"x-request-id", request_id.encode("ascii")),
        ]
        if self.https or scope["scheme"] == "https":
            ours.append(STRICT_TRANSPORT)

        async def with_headers(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _merged(message.get("headers", ()), ours)}
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        finally:
            seconds = time.perf_counter() - started
            route = scope.get("route_path_template", "")
            metrics.answered(route, method, status, seconds)
            log.info(
                "request",
                method=client.clean(method, 20),
                # Quoted: one printable word. The query stays out, it may hold secrets.
                path=_quoted(scope["path"][:512])[:512],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                **self.who(scope),
            )


class WellFormed:
    """Refuses what is no text where it matters: 400 for bytes that are not UTF-8 or a query with NUL, 431 for too much.

    The framework fails (500) on such headers, and PostgreSQL on NUL. Stands before everything that looks at a header.
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
    """Answers 413 over `limit` bytes, counted as they come; 408 after BODY_SECONDS; 415 for a packed body.

    413 also over `strangers` bytes, unless `known` says of the scope that it is somebody with a session: others have
    short forms to send, and could hold a megabyte for a minute with each connection.
    The connection stays open: the server reads the rest and throws it away, so a client that is still sending sees the
    answer instead of a broken pipe.
    """

    def __init__(self, app: Any, *, limit: int, strangers: int, known: Callable[[Any], bool]) -> None:
        self.app = app
        self.limit, self.strangers, self.known = limit, min(strangers, limit), known

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
        most, announced = self.strangers, int(length[:20])  # the first digits tell; int() refuses thousands of them
        if announced > most:
            most = self._most(scope, announced)
        arrived, complete, deadline = 0, False, time.monotonic() + BODY_SECONDS

        async def limited() -> Any:
            nonlocal arrived, complete, most
            if complete:  # from here on only a disconnect is waited for
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
        """The limit for somebody known; asked only where it matters. Raises Problem 413."""
        if size > self.limit or not self.known(scope):
            raise Problem(413)
        return self.limit


class Methods:
    """Routes HEAD as GET, so that it works wherever GET does; `urls.asked_with_head` tells."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope |= {"method": "GET", "asked_with_head": True}
        await self.app(scope, receive, send)


def _quoted(path: str) -> str:
    return path if PLAIN.fullmatch(path) else quote(path, safe="/:@!$&'()*+,;=~-._", errors="replace")


def _merged(theirs: Iterable[tuple[bytes, bytes]], ours: Headers) -> Headers:
    """Their headers without those that are ours, then ours; of a default that they set, the last one counts."""
    kept = [(name.lower(), value) for name, value in theirs]
    if LINE_END.search(b" ".join(part for header in kept for part in header)):
        raise ValueError("a header holds a line end")  # the server would write it as it is: response splitting
    email = (b"content-security-policy", EMAIL_POLICY.encode("ascii"))
    if email in kept:
        ours = [email if header[0] == email[0] else header for header in ours]
    kept = [header for header in kept if header[0] not in REPLACED]
    for name, default in DEFAULTS:
        values = [value for key, value in kept if key == name]
        kept = [header for header in kept if header[0] != name]
        kept.append((name, values[-1] if values else default))
    return kept + ours


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
