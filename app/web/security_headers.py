"""Security headers on every response, each exactly once.

`SecurityHeaders` is the outermost middleware; it also gives each request its id and its line in the log.
Chapter: "Going live". Source: the OWASP Secure Headers Project; CSP Level 3; v5.0.0-3.4.*, v5.0.0-16.4.1.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from app.observability import logs, metrics
from app.web import client

log = logs.get("web")
Headers = list[tuple[bytes, bytes]]

NONCE_BYTES = 18  # 144 bits; CSP asks for 128
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
# For the HTML part of an e-mail in the development mailbox: inline styles, nothing else.
EMAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
EMAIL_HEADER = (b"content-security-policy", EMAIL_POLICY.encode("ascii"))
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
# A handler may set other values. no-referrer would make browsers send `Origin: null` with our own forms.
DEFAULTS: Headers = [(b"cache-control", b"no-store"), (b"referrer-policy", b"same-origin")]
# Headers of a handler or the server that are removed: set here alone, or telling of versions (v5.0.0-13.4.6).
REPLACED = frozenset(
    {name for name, _ in ALWAYS}
    | {STRICT_TRANSPORT[0], b"content-security-policy", b"x-request-id", b"server", b"x-powered-by"}
)

HANDSHAKE = {"websocket.accept": 101, "websocket.close": 403}  # what the server answers a WebSocket with
PLAIN = re.compile(r"[\w/.-]*", re.ASCII)
LINE_END = re.compile(rb"[\r\n\0]")


class SecurityHeaders:
    """Sets `client.current()`, `scope["csp_nonce"]` and the headers.

    `https`: the site is reached over https even if the last hop to this process is not. `who`: the log fields about the
    user, given the scope after the response.
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
            await self._answer(scope, receive, send, asking.request_id)

    async def _answer(self, scope: Any, receive: Any, send: Any, request_id: str) -> None:
        method, started, status = scope.get("method", "WEBSOCKET"), time.perf_counter(), 500  # `Methods` changes it
        written = False
        ours = [
            *ALWAYS,
            (b"content-security-policy", POLICY.format(nonce=scope["csp_nonce"]).encode("ascii")),
            (b"x-request-id", request_id.encode("ascii")),
        ]
        if self.https or scope["scheme"] in ("https", "wss"):
            ours.append(STRICT_TRANSPORT)

        def write() -> None:
            nonlocal written
            if written:
                return
            written, seconds = True, time.perf_counter() - started
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

        async def with_headers(message: Any) -> None:
            nonlocal status
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                message = {**message, "headers": _merged(message.get("headers", ()), ours)}
            elif status == 500 and kind in HANDSHAKE:
                status = HANDSHAKE[kind]
            await send(message)
            if kind == "websocket.accept" or message.get("endless"):
                write()  # a stream goes on for minutes

        try:
            await self.app(scope, receive, with_headers)
        finally:
            write()


def _quoted(path: str) -> str:
    return path if PLAIN.fullmatch(path) else quote(path, safe="/:@!$&'()*+,;=~-._", errors="replace")


def _merged(theirs: Iterable[tuple[bytes, bytes]], ours: Headers) -> Headers:
    """The handler's headers without those set here, then ours; if it sets a default repeatedly, the last one counts."""
    kept, defaults = [], dict(DEFAULTS)
    for name, value in theirs:
        name = name.lower()
        if LINE_END.search(name) or LINE_END.search(value):
            raise ValueError("a header contains a line end")  # the server would write it unchanged: response splitting
        if name in defaults:
            defaults[name] = value
        elif name not in REPLACED:
            kept.append((name, value))
        elif (name, value) == EMAIL_HEADER:
            ours = [EMAIL_HEADER if header[0] == name else header for header in ours]
    return [*kept, *defaults.items(), *ours]
