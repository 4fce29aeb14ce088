"""The e-mail outbox: e-mails are queued in the same database transaction as the change they report.

A request only inserts one row. The sender finds out later whether there is a recipient and composes the text, so the
request takes the same time for an address with an account and for one without.
All statements that change the table are here; `sender` decides when to try again.
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
from prometheus_client.core import GaugeMetricFamily

from app import db
from app.email.models import email_rows

LEASE = timedelta(seconds=60)  # how long a claimed e-mail belongs to one worker; if that is killed, it is tried again
RETENTION = timedelta(days=7)  # of sent and dropped e-mails
FAILED_RETENTION = timedelta(days=30)  # of failed e-mails, and of those that were never tried

_wakeups: set[asyncio.Event] = set()


@dataclass(frozen=True, slots=True)
class QueuedEmail:
    """An e-mail that this worker has claimed, for the `attempts`th time."""

    id: UUID
    kind: str
    recipient: str
    user_id: UUID | None
    facts: dict[str, str]
    created_at: datetime
    attempts: int


async def enqueue(tx: Any, kind: str, *, recipient: str = "", user_id: UUID | None = None, **facts: str) -> UUID:
    """Queue an e-mail in the caller's transaction. Returns its id.

    `recipient`: the address; "" means the address that the account `user_id` has when the e-mail is sent. `facts` are
    short texts of our own vocabulary, ids, addresses: never a token, a password or another secret.
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
    """An event that is set when this worker has committed a queued e-mail. For the sender."""
    event = asyncio.Event()
    _wakeups.add(event)
    try:
        yield event
    finally:
        _wakeups.discard(event)


async def due() -> datetime | None:
    """The database's time if an e-mail is due, else None: the only query of an idle worker."""
    once = sa.select(db.now()).scalar_subquery()  # PostgreSQL would read its clock for each row, and so each row
    now = await db.fetch_value(sa.select(once).where(sa.exists().where(*_due(once))))
    return now if isinstance(now, datetime) else None


async def claim(now: datetime, most: int) -> list[QueuedEmail]:
    """Claim up to `most` due e-mails for the time of the lease. Of concurrent workers one gets each."""
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
    """Store the outcome, in `values`.

    Only while this worker's claim lasts: the lease may have expired. That an e-mail was sent is stored in any case.
    """
    table = email_rows
    ours = sa.true() if values.get("sent_at") else table.c.attempts == email_message.attempts
    await db.execute(
        sa.update(table).where(table.c.id == email_message.id, table.c.sent_at.is_(None), ours).values(values)
    )


async def try_again(tx: Any, email_id: UUID) -> bool:
    """Queue a failed e-mail again, in the caller's transaction. False if it has not failed."""
    table = email_rows
    failed = table.c.id == email_id, table.c.failed_at.is_not(None)
    values = {"failed_at": None, "attempts": 0, "next_try_at": db.now(), "error": ""}
    return bool(await tx.execute(sa.update(table).where(*failed).values(values)))


async def prune(now: datetime) -> int:
    """Delete finished e-mails whose retention has ended (`next_try_at`); returns how many."""
    table = email_rows
    over = sa.and_(table.c.next_try_at <= now, sa.not_(_queued()))
    return await db.prune(table, sa.or_(over, table.c.created_at <= now - FAILED_RETENTION))


async def forget(tx: Any, user_id: UUID) -> None:
    """Delete all e-mails to an account that is being deleted, sent or queued, in the caller's transaction."""
    await tx.execute(sa.delete(email_rows).where(email_rows.c.user_id == user_id))


def _queued() -> Any:
    table = email_rows
    return sa.and_(table.c.sent_at.is_(None), table.c.dropped_at.is_(None), table.c.failed_at.is_(None))


def _due(now: Any) -> tuple[Any, ...]:
    return email_rows.c.next_try_at <= now, _queued()


def _wake() -> None:
    for event in _wakeups:
        event.set()


async def gauges() -> list[Any]:
    """For /metrics: how many e-mails wait, and how many were given up."""
    table = email_rows.c
    waiting = sa.and_(table.sent_at.is_(None), table.dropped_at.is_(None), table.failed_at.is_(None))
    counts = sa.func.count().filter(waiting).label("waiting"), sa.func.count(table.failed_at).label("failed")
    row = await db.fetch_one(sa.select(*counts))
    return [
        GaugeMetricFamily("lanyard_outbox_emails", "E-mails waiting to be sent", row.waiting),
        GaugeMetricFamily("lanyard_undeliverable_emails", "E-mails that could not be delivered", row.failed),
    ]
