"""Readiness check: whether this worker can serve, asked at most once a second."""

import asyncio
import time

from app import db
from app.auth.sessions import session_cache
from app.observability import logs

log = logs.get("ops")

KEPT = 1.0  # seconds

_asking = asyncio.Lock()
_answer: tuple[float, dict[str, bool]] = (float("-inf"), {})


async def checks() -> dict[str, bool]:
    """Name of the check -> passed. Nobody is told more: what is wrong stands in the log."""
    global _answer
    async with _asking:
        asked, found = _answer
        if time.monotonic() - asked > KEPT:
            found = await _look()
            _answer = time.monotonic(), found
        return found


def forget() -> None:
    """Ask again next time."""
    global _answer
    _answer = (float("-inf"), {})


async def _look() -> dict[str, bool]:
    try:
        behind, writes = await db.needs_migration(), await db.is_writable()
    except db.Unavailable:
        return {"database": False, "migrations": False, "feed": session_cache.feed_is_fresh()}
    if not writes:
        log.warning("database_read_only")  # a replica: nobody could sign in here, or out
    return {"database": writes, "migrations": not behind, "feed": session_cache.feed_is_fresh()}
