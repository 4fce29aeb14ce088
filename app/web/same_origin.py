"""CSRF protection by the same-origin rule, and trusted hosts.

The rule is pure. SameSite=Strict cookies are the first fence, this is the second, so forms carry no token.
Chapter: "Tokens in cookies". Pattern: learn-more.
Source: OWASP CSRF Prevention, "Fetch Metadata headers"; v5.0.0-3.5.1, v5.0.0-3.5.3, v5.0.0-4.4.2; RFC 6454.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from app import hosts
from app.observability import logs
from app.web import cookies
from app.web.errors import Problem

log = logs.get("web")

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
TRUSTED_SITES = frozenset({"same-origin", "none"})  # "none": typed or bookmarked, no page is behind it


def allowed(method: str, *, site: str | None, origin: str | None, ours: str, has_our_cookies: bool) -> bool:
    """Whether a request may go on. `site` is Sec-Fetch-Site, `ours` our own origin; None means that a header is absent.

    A WebSocket handshake counts as an unsafe method: pass "WEBSOCKET".
    """
    if method in SAFE:
        return True
    if site is not None:
        return site in TRUSTED_SITES
    if origin is not None:
        return origin == ours
    return not has_our_cookies  # no browser: a program, which holds no cookies that a page could ride on


class SameOrigin:
    """Refuses what `allowed` does not allow: 403, or a closed handshake.

    `public_origin`: as browsers send it; "" takes the scheme and host asked for, which is for development only.
    `preflighted`: path -> headers that a page of another site can send there only after a preflight, which nobody here
    grants. Chromium asks these paths by itself, and some versions (150) then send neither Sec-Fetch-Site nor Origin.
    """

    def __init__(
        self,
        app: Any,
        *,
        cookie_names: Collection[str],
        public_origin: str,
        preflighted: Mapping[str, Collection[bytes]] = MappingProxyType({}),
    ) -> None:
        self.app = app
        self.cookie_names = frozenset(cookie_names)
        self.public_origin = public_origin
        self.preflighted = preflighted

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket") or self._allowed(scope):
            await self.app(scope, receive, send)
            return
        log.warning("from_another_site_refused")
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            raise Problem(403, "This request did not come from a page of this site, so it was refused.")

    def _allowed(self, scope: Any) -> bool:
        method = scope.get("method", "WEBSOCKET")
        return method in SAFE or allowed(
            method,
            site=_header(scope, b"sec-fetch-site"),
            origin=_header(scope, b"origin"),
            ours=self.public_origin or _own_origin(scope),
            has_our_cookies=any(name in cookies.read(scope) for name in self.cookie_names)
            and not self._is_preflighted(scope),
        )

    def _is_preflighted(self, scope: Any) -> bool:
        wanted = self.preflighted.get(scope["path"], ())
        return any(name in wanted and value for name, value in scope["headers"])


class TrustedHost:
    """Answers only to the hosts of `known`, whatever the port: 400 for any other, or for none, or for two.

    `except_at`: paths asked for by machines that know this process by another name; they name no host in their answer.
    `advice`: what is said beside the 400.
    """

    def __init__(self, app: Any, *, known: Iterable[str], except_at: Collection[str] = (), advice: str = "") -> None:
        self.app = app
        self.known = frozenset(map(hosts.requested, known)) - {""}
        self.except_at = frozenset(except_at)
        self.refusal = f"This server does not serve that host. {advice}".strip()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket") or self._ours(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            raise Problem(400, self.refusal)

    def _ours(self, scope: Any) -> bool:
        host = _header(scope, b"host") or ""
        known = len(host) <= hosts.LONGEST and _requested(host) in self.known
        return known or scope["path"] in self.except_at


def _header(scope: Any, wanted: bytes) -> str | None:
    """A header's value, None if absent; two of them are joined, and then equal nothing we know."""
    values = [value for name, value in scope["headers"] if name.lower() == wanted]
    return b", ".join(values).decode("latin-1") if values else None


def _own_origin(scope: Any) -> str:
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    try:
        return hosts.origin(f"{scheme}://{_header(scope, b'host')}")
    except ValueError:
        return ""


_requested = lru_cache(256)(hosts.requested)  # nearly always the same one
