"""Maintenance: expired rows are deleted, hourly in every server and by `python -m app prune`.

Each feature brings its own tasks (`web.features`); an account takes along what belongs to it. Two workers may do the
same at once: rows that one is busy with are left alone by the other.
"""

import asyncio

import sqlalchemy as sa

from app import db
from app.observability import logs
from app.web import features

log = logs.get("housekeeping")

EVERY_SECONDS = 3600
FIRST_SECONDS = 300  # not while a new version starts


async def run_hourly() -> None:
    """Do it again and again: a background task of each worker. What fails is tried an hour later."""
    await asyncio.sleep(FIRST_SECONDS)
    while True:
        try:
            await run()
        except db.Unavailable:
            log.warning("nothing_pruned", reason="the database cannot be asked")
        except Exception:
            log.exception("nothing_pruned")
        await asyncio.sleep(EVERY_SECONDS)


async def run() -> dict[str, int]:
    """Delete what is over, by the database's clock; how many of each. Errors: db.Unavailable."""
    now = await db.fetch_value(sa.select(db.now()))
    return {name: await task(now) for name, task in features.table("maintenance").items()}
