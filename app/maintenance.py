"""Maintenance: expired rows are deleted, hourly in every server and by `python -m app prune`.

Each line of TASKS is one condition on one table; an account takes along what belongs to it. Two workers may do the same
at once: rows that one is busy with are left alone by the other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import sqlalchemy as sa

from app import db
from app.auth import email_links, form_submissions
from app.auth.accounts import account_deletion
from app.auth.rate_limit import counters
from app.auth.sessions import rotation, session_cache
from app.email import outbox
from app.mfa import re_encryption
from app.observability import logs

log = logs.get("housekeeping")

EVERY_SECONDS = 3600
FIRST_SECONDS = 300  # not while a new version starts

# What it is called: how many there were at this time.
TASKS: Mapping[str, Callable[[datetime], Awaitable[int]]] = {
    "accounts": account_deletion.delete_due,
    "letters": outbox.prune,
    "mailed links": email_links.prune,
    "sessions": rotation.prune,
    "changes": session_cache.prune,
    "throttle counters": counters.prune,
    "forms": form_submissions.prune,
}


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
    """Delete what is over, by the database's clock; how many of each. Errors: db.Unavailable.

    And encrypt anew what an older secret did, so that the last step of `rotate-keys` leaves nothing unreadable; what a
    mailed link made void is not worth it.
    """
    await re_encryption.clear()
    await re_encryption.re_encrypt()
    now = await db.fetch_value(sa.select(db.now()))
    return {name: await task(now) for name, task in TASKS.items()}
