"""Forwarded headers from a peer that is not trusted: they are ignored, and the operator is told.

Behind a proxy that `--forwarded-allow-ips` does not name every visitor has the proxy's address: one rate limit for all
of them, and one address in the audit log. The headers' values are never logged: anybody can send them.
"""

from collections.abc import Iterable
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.observability import logs, metrics

HEADERS = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"))
WARN_EVERY = 60.0  # seconds, in each worker: a visitor who sends such headers all day must not fill the log

log = logs.get("serve")


class IgnoredHeaders:
    """`trusted`: --forwarded-allow-ips, "" for nobody. The peer is judged as the server judges it."""

    def __init__(self, trusted: str) -> None:
        self._trusted: Any = ProxyHeadersMiddleware(lambda *_: None, trusted).trusted_hosts if trusted else ()  # type: ignore[arg-type]
        self._silent_until = float("-inf")

    def look(self, peer: str, headers: Iterable[tuple[bytes, bytes]], now: float) -> None:
        """`headers`: names in lower case. `now`: seconds of a clock that never goes back."""
        sent = sorted({name.decode() for name, _ in headers if name in HEADERS})
        if not sent or peer in self._trusted:
            return
        metrics.FORWARDED_IGNORED.inc()
        if now >= self._silent_until:
            self._silent_until = now + WARN_EVERY
            log.warning(
                "forwarded_ignored",
                peer=peer,
                headers=" ".join(sent),
                advice="a proxy of yours? Name its address in --forwarded-allow-ips; else a visitor sent this",
            )
