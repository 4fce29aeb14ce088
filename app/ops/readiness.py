"""Readiness check: whether this worker can serve requests. The result is cached for a second."""

import asyncio
import time

from app import db
from app.auth.sessions import session_cache
from app.observability import logs

log = logs.get("ops")

CACHE_SECONDS = 1.0

_lock = asyncio.Lock()
_cached: tuple[float, dict[str, bool]] = (float("-inf"), {})


async def checks() -> dict[str, bool]:
    """Name of the check -> passed. The response does not contain details: they are in the log."""
    global _cached
    async with _lock:
        checked_at, results = _cached
        if time.monotonic() - checked_at > CACHE_SECONDS:
            results = await _run()
            _cached = time.monotonic(), results
        return results


def clear() -> None:
    """Drop the cached result."""
    global _cached
    _cached = (float("-inf"), {})


async def _run() -> dict[str, bool]:
    try:
        behind, writes = await db.needs_migration(), await db.is_writable()
    except db.Unavailable:
        return {"database": False, "migrations": False, "feed": session_cache.feed_is_fresh()}
    if not writes:
        log.warning("database_read_only")  # a replica: login and logout would fail
    return {"database": writes, "migrations": not behind, "feed": session_cache.feed_is_fresh()}
