"""Forwarded headers from a peer that is not trusted: ignored and logged.

Behind a proxy that `--forwarded-allow-ips` does not name, every visitor has the proxy's address: all share one rate
limit and one address in the audit log. The headers' values are never logged, because anybody can send them.
"""

from collections.abc import Iterable
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.observability import logs, metrics

HEADERS = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"))
WARN_EVERY = 60.0  # seconds, in each worker: a visitor who sends such headers all day must not fill the log

log = logs.get("server")


class IgnoredHeaders:
    """`trusted`: --forwarded-allow-ips, "" for nobody. A peer is trusted if uvicorn trusts it."""

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
                advice="if this is your proxy, add its address to --forwarded-allow-ips; otherwise a visitor sent "
                "these headers",
            )
