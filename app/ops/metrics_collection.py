"""Metrics collection: each worker reads its own state once a second."""

import asyncio
import time

from app import db
from app.auth import passwords
from app.auth.sessions import session_cache
from app.auth.streams import open_streams
from app.observability import metrics

EVERY = 1.0  # seconds


async def follow() -> None:
    """Call `sample` every second: a background task of each worker."""
    while True:
        sample()
        await asyncio.sleep(EVERY)


def sample() -> None:
    in_use, waiting = db.pool_use()
    metrics.POOL_IN_USE.set(in_use)
    metrics.POOL_WAITING.set(waiting)
    metrics.PASSWORDS.set(passwords.in_progress())
    metrics.FEED_READ.set(max(0.0, time.time() - session_cache.feed_lag()))
    metrics.STREAMS.set(open_streams.count())
    metrics.WORKERS.set(1)
