"""The e-mail outbox: e-mails are queued in the same database transaction as the change they report.

A request only ever inserts one row here. Whether there is anybody to write to, and what to say, is found out later by
the sender: the request takes the same time for an address that has an account and for one that has not.
Every statement that changes the table stands here; when to try what is the business of `sender`.
Chapter: "Transactional e-mail". Source: v5.0.0-6.3.8 (no telling accounts apart), OWASP Forgot Password.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.email.models import email_rows

LEASE = timedelta(seconds=60)  # a claimed letter is nobody else's for so long; a killed worker's is tried again then
RETENTION = timedelta(days=7)  # what was sent, or dropped
DEAD_RETENTION = timedelta(days=30)  # for somebody to look at; also what nobody ever tried to send

_wakeups: set[asyncio.Event] = set()


@dataclass(frozen=True, slots=True)
class QueuedEmail:
    """A letter that this worker has claimed, for the `attempts`th time."""

    id: UUID
    kind: str
    recipient: str
    user_id: UUID | None
    facts: dict[str, str]
    created_at: datetime
    attempts: int


async def enqueue(tx: Any, kind: str, *, recipient: str = "", user_id: UUID | None = None, **facts: str) -> UUID:
    """Owe somebody a letter, in the caller's transaction. Returns its id.

    `recipient`: where to; "" means the address that the account of `user_id` has when the letter goes out. `facts` are
    short texts out of our own vocabulary, ids, addresses: never a token, a password or anything to be kept secret.
    """
    email_id = db.uuid7()
    values = {
        "id": email_id,
        "kind": kind,
        "recipient": recipient,
        "user_id": user_id,
        "facts": json.dumps(facts),
        "created_at": db.now(),
        "next_try_at": db.now(),
    }
    await tx.execute(sa.insert(email_rows).values(values))
    if isinstance(tx, db.Transaction):
        tx.after_commit.append(_wake)
    else:
        _wake()
    return email_id


@contextmanager
def wakeup() -> Iterator[asyncio.Event]:
    """Set whenever this worker has committed a letter. For the sender."""
    event = asyncio.Event()
    _wakeups.add(event)
    try:
        yield event
    finally:
        _wakeups.discard(event)


async def due() -> datetime | None:
    """The time by the database's clock if a letter is due, else None: all that an idle worker ever asks."""
    once = sa.select(db.now()).scalar_subquery()  # PostgreSQL would read its clock for each row, and so each row
    now = await db.fetch_value(sa.select(once).where(sa.exists().where(*_due(once))))
    return now if isinstance(now, datetime) else None


async def claim(now: datetime, most: int) -> list[QueuedEmail]:
    """The letters that are due, now this worker's for the time of the lease. Of many who ask at once one gets each."""
    table = email_rows
    # A CTE, for PostgreSQL may run a subquery more than once and then lock more rows than it was told.
    some = sa.select(table.c.id).where(*_due(now)).order_by(table.c.next_try_at).limit(most)
    chosen = some.with_for_update(skip_locked=True).cte("chosen")
    taken = sa.update(table).where(table.c.id.in_(sa.select(chosen.c.id)), *_due(now))
    rows = await db.fetch_all(
        taken.values(next_try_at=now + LEASE, attempts=table.c.attempts + 1).returning(
            table.c.id, table.c.kind, table.c.recipient, table.c.user_id, table.c.facts, table.c.created_at,
            table.c.attempts,
        )
    )  # fmt: skip
    return [QueuedEmail(**{**row._mapping, "facts": json.loads(row.facts)}) for row in rows]


async def finish(email_message: QueuedEmail, **values: Any) -> None:
    """Write down how it went.

    Only while the claim is ours: a lease may have run out. That a letter was sent is true in any case.
    """
    table = email_rows
    ours = sa.true() if values.get("sent_at") else table.c.attempts == email_message.attempts
    await db.execute(
        sa.update(table).where(table.c.id == email_message.id, table.c.sent_at.is_(None), ours).values(values)
    )


async def try_again(tx: Any, email_id: UUID) -> bool:
    """Owe a letter that was given up once more, in the caller's transaction; False if it was not."""
    table = email_rows
    given_up = table.c.id == email_id, table.c.failed_at.is_not(None)
    values = {"failed_at": None, "attempts": 0, "next_try_at": db.now(), "error": ""}
    return bool(await tx.execute(sa.update(table).where(*given_up).values(values)))


async def prune(now: datetime) -> int:
    """Delete letters that are over: their `next_try_at` says when. How many there were."""
    table = email_rows
    over = sa.and_(table.c.next_try_at <= now, sa.not_(_queued()))
    return await db.prune(table, sa.or_(over, table.c.created_at <= now - DEAD_RETENTION))


async def forget(tx: Any, user_id: UUID) -> None:
    """Of an account that is deleted: every letter to it, sent or owed, in the caller's transaction."""
    await tx.execute(sa.delete(email_rows).where(email_rows.c.user_id == user_id))


def _queued() -> Any:
    table = email_rows
    return sa.and_(table.c.sent_at.is_(None), table.c.dropped_at.is_(None), table.c.failed_at.is_(None))


def _due(now: Any) -> tuple[Any, ...]:
    return email_rows.c.next_try_at <= now, _queued()


def _wake() -> None:
    for event in _wakeups:
        event.set()
