"""Maintenance: deletes expired rows, hourly in every worker and by `python -m app prune`.

Each feature registers its own tasks (`web.features`); deleting an account deletes its rows (ON DELETE CASCADE). Two
workers may run it at once: each skips the rows that the other has locked.
"""

import asyncio

import sqlalchemy as sa

from app import db
from app.observability import logs
from app.web import features

log = logs.get("maintenance")

EVERY_SECONDS = 3600
FIRST_SECONDS = 300  # delay of the first run, so it does not slow down the start of a new version


async def run_hourly() -> None:
    """Run the maintenance every hour: a background task of each worker. After an error, it runs again an hour later."""
    await asyncio.sleep(FIRST_SECONDS)
    while True:
        try:
            await run()
        except db.Unavailable:
            log.warning("maintenance_failed", reason="the database does not answer")
        except Exception:
            log.exception("maintenance_failed")
        await asyncio.sleep(EVERY_SECONDS)


async def run() -> dict[str, int]:
    """Run all tasks, by the database's clock. Returns task -> number of rows. Errors: db.Unavailable."""
    now = await db.fetch_value(sa.select(db.now()))
    return {name: await task(now) for name, task in features.table("maintenance").items()}
