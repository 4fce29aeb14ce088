"""The numbers on the admin overview. Each costs a bounded stretch of an index, however many rows there are."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from app import db
from app.admin import user_statements
from app.admin.audit_log import first_id
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import user_rows
from app.auth.roles import ROLES
from app.auth.sessions import lifetime
from app.auth.streams.events import Event
from app.auth.streams.open_streams import Stream
from app.email.models import email_rows

MOST = 100_000  # counted exactly so far; what is more is "more than that"
DAYS = 30
LIVE_SECONDS = 5
CHARTED = (events.LOGIN, events.LOGIN_FAILED)
LATE = timedelta(minutes=5)  # a transaction that began before midnight may become visible so long after it

Counts = dict[tuple[str, date], int]

# What this worker has counted of days that are over: nothing is ever added to those.
_over: WeakKeyDictionary[Any, Counts] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Numbers:
    people: int
    admins: int
    deactivated: int
    sessions: int
    alarms: int  # sessions ended because an old token was used again, in DAYS
    queued: int
    failed_emails: int


async def numbers(now: datetime) -> Numbers:
    """One query."""
    values = {"most": MOST + 1, "since": first_id(_days(now)[0]), **lifetime.live_at(now)}
    return Numbers(*await db.fetch_one(_numbers(), values))


def texts(numbers: Numbers) -> dict[str, str]:
    """The numbers as the page shows them, by name: "1,234", and "100,000+" past MOST."""
    return {name: f"{min(count, MOST):,}{'+' if count > MOST else ''}" for name, count in asdict(numbers).items()}


async def live(stream: Stream) -> AsyncGenerator[Event, None]:
    """The numbers for an open overview page, whenever one of them has changed."""
    before: Numbers | None = None
    while True:
        if (now := await numbers(db.utcnow())) != before:
            yield Event("numbers", texts(now))
        before = now
        await asyncio.sleep(LIVE_SECONDS)


async def per_day(now: datetime) -> dict[str, Sequence[tuple[date, int]]]:
    """For each event of CHARTED the count of each of the last DAYS days, oldest first, today included. One query.

    Days that are over are counted once in a worker's life: with a million events in a month that takes a tenth of a
    second, and today's take a fiftieth of it.
    """
    known = _over.setdefault(db.database, {})
    days = _days(now)
    missing = [(event, day) for event in CHARTED for day in days if (event, day.date()) not in known]
    values = [each for event, day in missing for each in (event, first_id(day), first_id(day + timedelta(days=1)))]
    rows = await db.fetch_all(_counts(len(missing)), {f"at{place}": value for place, value in enumerate(values)})
    counts = known | {(missing[row.number][0], missing[row.number][1].date()): row.counted for row in rows}
    over = [day.date() for day in days if day + timedelta(days=1) + LATE <= now]
    _over[db.database] = {(event, day): counts[event, day] for event in CHARTED for day in over}
    return {event: [(day.date(), counts[event, day.date()]) for day in days] for event in CHARTED}


def _days(now: datetime) -> list[datetime]:
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    return [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]


@cache
def _numbers() -> Any:
    user, emails = user_rows.c, email_rows.c
    return sa.select(
        _bounded(user.id.is_not(None)),
        _bounded(user.role == "admin", user.is_active.is_(True)),
        _bounded(user.role.in_(ROLES), user.is_active.is_(False))
        + _bounded(user.role.in_(user_statements.of_no_role()), user.is_active.is_(False)),
        _bounded(lifetime.is_live()),
        _bounded(event_rows.c.event == events.SESSION_REUSED, event_rows.c.id >= sa.bindparam("since")),
        _bounded(emails.sent_at.is_(None), emails.dropped_at.is_(None), emails.failed_at.is_(None)),
        _bounded(emails.failed_at.is_not(None)),
    )


@lru_cache(8)  # by far most often a day is missing for each event, or two
def _counts(days: int) -> Any:
    """Parameters at0, at1, at2 for the first one: its event, the first id of its day, and of the next day."""
    return sa.union_all(*map(_count, range(days)))


def _count(number: int) -> Any:
    parameters: list[Any] = [sa.bindparam(f"at{number * 3 + place}") for place in range(3)]
    event, since, until = parameters
    counted = sa.select(sa.literal(number).label("number"), sa.func.count().label("counted"))
    return counted.where(event_rows.c.event == event, event_rows.c.id >= since, event_rows.c.id < until)


def _bounded(*which: Any) -> Any:
    some = sa.select(sa.literal(1)).where(*which).limit(sa.bindparam("most", type_=sa.Integer)).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()
