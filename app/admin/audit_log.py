"""Queries of the audit log for the admin area. Nothing here, and no route, changes a row of it."""

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any, cast
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import session_rows, user_rows
from app.web import urls
from app.web.email_address import email_key
from app.web.filters import Cursor, Day, IpAddress, Trimmed, one_of
from app.web.paging import COUNTED, PAGE, Page

_e = event_rows.c


class AuditFilters(BaseModel):
    """`person`: the address or the id of somebody. `since` and `until`: whole days in UTC, both included."""

    event: Annotated[str, one_of(*events.EVENT_TEXT)] = ""
    person: Trimmed = ""
    ip: IpAddress = ""
    since: Day = None
    until: Day = None
    cursor: Cursor = None


def periods(now: datetime) -> dict[str, dict[str, str]]:
    """The words of a link -> the filters that it sets: the days up to today, in UTC."""
    today = now.astimezone(UTC).date()
    lengths = {"today": 1, "7 days": 7, "30 days": 30}
    days = {words: today - timedelta(days=length - 1) for words, length in lengths.items()}
    return {words: {"since": since.isoformat(), "until": today.isoformat()} for words, since in days.items()}


async def listing(
    filters: AuditFilters, limit: int = PAGE, *, before: UUID | None = None, counted: bool = False
) -> Page:
    """A page of events, newest first, each with the name and address of whom it is about and who did it.

    It begins behind `filters.cursor`, or ends in front of the event `before`. `session_kept` is the id of its session,
    unless that was pruned or is not theirs. Two queries at most, and one to count them; `total` is None where several
    filters would make counting go through far more rows than it finds.
    """
    person = await _person(filters.person) if filters.person else None
    if filters.person and person is None:
        return Page([], None, total=0)
    values: dict[str, Any] = {"person": person, "ip": filters.ip, "event": filters.event}
    # An id begins with the moment when it was made, so a period is a range of every one of the indexes.
    values["since"] = first_id(_midnight(filters.since)) if filters.since else None
    values["until"] = first_id(_midnight(filters.until) + timedelta(days=1)) if filters.until else None
    values = {name: value for name, value in values.items() if value}
    place = {"before": before} if before else {"cursor": filters.cursor} if filters.cursor else {}
    rows = await db.fetch_all(_page(frozenset(values | place), limit + 1), values | place)
    total = None
    if counted and len(values.keys() & {"person", "ip", "event"}) < 2:
        total = (await db.fetch_all(_counted(frozenset(values)), values))[0][0]
    if before:
        return Page.before(rows, limit, total=total)
    return Page.of(rows, limit, behind=bool(place), total=total)


async def _person(text: str) -> UUID | None:
    """An id as it is, because events outlive the account; an address as the account that has it now."""
    if found := urls.uuid_or_none(text):
        return found
    return cast("UUID | None", await db.fetch_value(_HOLDER, {"key": email_key(text)}))


@lru_cache(256)
def _page(given: frozenset[str], limit: int) -> Any:
    """The statement of a list; building one takes longer than running it. `given`: the parameters that it has."""
    queues = [
        sa.select(event_rows).where(*which).order_by(_along(_e.id, given)).limit(limit) for which in _queues(given)
    ]
    found = sa.union_all(*(sa.select(queue.subquery()) for queue in queues)).subquery("found")
    page = sa.select(found).order_by(_along(found.c.id, given)).limit(limit).subquery("page")
    about, by, kept = user_rows.alias("about"), user_rows.alias("by"), session_rows
    whose = (kept.c.id == page.c.session_id) & (kept.c.user_id == page.c.user_id)
    return (
        sa.select(
            page,
            about.c.name.label("about_name"), about.c.email.label("about_email"),
            by.c.name.label("by_name"), by.c.email.label("by_email"), kept.c.id.label("session_kept"),
        )
        .select_from(
            page.outerjoin(about, about.c.id == page.c.user_id)
            .outerjoin(by, by.c.id == page.c.actor_id)
            .outerjoin(kept, whose)
        )
        .order_by(_along(page.c.id, given))
    )  # fmt: skip


@lru_cache(64)
def _counted(given: frozenset[str]) -> Any:
    queues = [sa.select(_e.id).where(*which).limit(COUNTED + 1).subquery() for which in _queues(given)]
    some = sa.union_all(*(sa.select(queue) for queue in queues)).limit(COUNTED + 1).subquery()
    return sa.select(sa.func.count()).select_from(some)


def _along(key: Any, given: frozenset[str]) -> Any:
    """Newest first; towards the newest where the page ends in front of an event."""
    return key.asc() if "before" in given else key.desc()


def _queues(given: frozenset[str]) -> list[list[Any]]:
    """The conditions of each query that goes along one index: about somebody, and by them about others."""
    person = sa.bindparam("person", type_=_e.user_id.type)
    about_them, by_them = [_e.user_id == person], [_e.actor_id == person, _e.user_id.is_distinct_from(person)]
    return [[*whose, *_chosen(given)] for whose in ([about_them, by_them] if "person" in given else [[]])]


def _chosen(given: frozenset[str]) -> list[Any]:
    """The conditions. The one that few rows are likely to fit leads along its index: a person, an address, an event."""
    conditions: dict[str, Any] = {
        "ip": (db.unindexed(_e.ip) if "person" in given else _e.ip) == sa.bindparam("ip"),
        "event": (db.unindexed(_e.event) if given & {"person", "ip"} else _e.event) == sa.bindparam("event"),
        "since": _e.id >= sa.bindparam("since"),
        "until": _e.id < sa.bindparam("until"),
        "cursor": _e.id < sa.bindparam("cursor"),
        "before": _e.id > sa.bindparam("before"),
    }
    return [condition for name, condition in conditions.items() if name in given]


def first_id(timestamp: datetime) -> UUID:
    """No id made at that moment or later is smaller (RFC 9562 section 5.7)."""
    return UUID(int=int(timestamp.timestamp() * 1000) << 80)


def _midnight(day: Any) -> datetime:
    return datetime.combine(day, time(), UTC)


_HOLDER = sa.select(user_rows.c.id).where(user_rows.c.email_key == sa.bindparam("key"))
