"""Queries of users and their sessions for the admin area. `auth.accounts.user_admin` alone changes them.

However many people there are, a page of them costs as many steps along an index as it has rows. They stand in a queue
for each role and state, each queue has an index for each order, and a page merges the heads of the queues it wants. A
search that few people fit goes the other way: it finds all of them and sorts them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel

from app import db
from app.auth import email_links
from app.auth.accounts import user_search
from app.auth.models import ROLES, link_rows, session_rows, user_rows
from app.auth.sessions import rotation
from app.web import urls
from app.web.filters import Cursor, Trimmed, one_of
from app.web.paging import PAGE, Page

_u = user_rows.c
COLUMNS = (
    _u.id, _u.name, _u.email, _u.role, _u.is_active, _u.created_at, _u.last_login, _u.delete_after,
    _u.must_change_password, _u.second_factor_at, _u.invited_at, _u.search_text, _u.email_key,
)  # fmt: skip

# What a list may be sorted by -> the columns that decide, the id at last, and whether it runs backwards.
SORTS: dict[str, tuple[tuple[Any, ...], bool]] = {
    "newest": ((_u.id,), True),
    "name": ((_u.search_text, _u.id), False),
    "email": ((_u.email_key, _u.id), False),
    "last_login": ((_u.last_login, _u.id), True),
}
SESSIONS_SHOWN = 50
EVER = datetime(1970, 1, 1, tzinfo=UTC)


class PeopleFilters(BaseModel):
    """`q`: words that name or address begin with, or an id. `verified`: the address is confirmed. "" stands for all."""

    q: Trimmed = ""
    role: Annotated[str, one_of(*ROLES)] = ""
    status: Annotated[str, one_of("active", "deactivated")] = ""
    verified: Annotated[str, one_of("yes", "no")] = ""
    sort: Annotated[str, one_of("newest", "name", "email", "last_login")] = "newest"
    cursor: Cursor = None


async def listing(filters: PeopleFilters, limit: int = PAGE, *, last: Any = None) -> Page:
    """A page of people with the number of their live sessions. Three queries at most.

    It begins behind `filters.cursor`, or behind the row `last` even if that person is gone meanwhile.
    """
    found = _verified(await _searched(filters), filters.verified)
    if filters.cursor and not last:  # looked up, so that no name stands in an address
        last = await db.fetch_one(sa.select(*COLUMNS).where(_u.id == filters.cursor))
    queues = [queue.limit(limit + 1) for queue in _queues(filters, found, last)]
    return Page.of(await db.fetch_all(_merged(queues, filters.sort, limit + 1)), limit)


async def get(user_id: UUID) -> Any:
    """One person as in the list, or None."""
    return await db.fetch_one(sa.select(*COLUMNS, _live(_u.id)).where(_u.id == user_id))


async def sessions_of(user_id: UUID) -> list[Any]:
    """Live sessions, the one used last first."""
    table = session_rows
    live = sa.select(table).where(rotation.is_live(db.utcnow(), of=user_id)).order_by(table.c.last_seen_at.desc())
    return await db.fetch_all(live.limit(SESSIONS_SHOWN))


async def session_of(user_id: UUID, sid: UUID) -> Any:
    table = session_rows
    return await db.fetch_one(sa.select(table).where(table.c.id == sid, table.c.user_id == user_id))


async def pending() -> list[Any]:
    """Pending sign-ups and invitations for a click: purpose, email, name, created_at, ends_at; newest first."""
    table = link_rows
    columns = [table.c[name] for name in ("id", "purpose", "user_id", "email", "name", "created_at", "ends_at")]
    waiting = [
        sa.select(*columns)
        .where(table.c.purpose == purpose, table.c.used_at.is_(None), table.c.ends_at > db.now())
        .order_by(table.c.ends_at.desc(), table.c.id.desc())
        .limit(PAGE)
        for purpose in (email_links.REGISTER, email_links.INVITE)
    ]
    link = sa.union_all(*(sa.select(queue.subquery()) for queue in waiting)).subquery("link")
    invited = sa.select(
        link.c.purpose, link.c.user_id, link.c.created_at, link.c.ends_at,
        sa.func.coalesce(_u.email, link.c.email).label("email"), sa.func.coalesce(_u.name, link.c.name).label("name"),
    ).select_from(link.outerjoin(user_rows, _u.id == link.c.user_id))  # fmt: skip
    return await db.fetch_all(invited.order_by(link.c.created_at.desc(), link.c.id.desc()).limit(PAGE))


async def _searched(filters: PeopleFilters) -> user_search.Matching:
    if not filters.q:
        return user_search.Matching([], few=False)
    if user_id := urls.uuid_or_none(filters.q):
        return user_search.Matching([_u.id == user_id], few=True)
    return await user_search.matching(filters.q, sorted_by_words=filters.sort in ("name", "email"))


def _verified(found: user_search.Matching, verified: str) -> user_search.Matching:
    """Few have not confirmed their address: who was invited and did not come in yet (`user_admin.invited`)."""
    came_in, invited = _u.last_login.is_not(None), _u.invited_at > EVER  # a range of the index; "not null" is none
    if verified == "no":
        return user_search.Matching([*found.which, _u.last_login.is_(None), invited], few=True)
    if verified == "yes":
        return user_search.Matching([*found.which, sa.or_(came_in, _u.invited_at.is_(None))], found.few)
    return found


def _queues(filters: PeopleFilters, found: user_search.Matching, last: Any) -> Iterator[Any]:
    """One query for each queue, in its order, from behind `last` on."""
    keys, backwards = SORTS[filters.sort]
    for chosen in _chosen(filters, found.few):
        for part, order in _parts(keys, backwards, last):
            queue = sa.select(*COLUMNS).where(*chosen, *part, *found.which)
            yield queue.order_by(*_along(order, backwards))


def _chosen(filters: PeopleFilters, few: bool) -> Iterator[list[Any]]:
    """The conditions of each queue; of few people all at once, and no index of the queues may lead."""
    roles = [filters.role] if filters.role else ROLES
    states = [filters.status == "active"] if filters.status else [True, False]
    if few:
        yield [db.unindexed(_u.role).in_(roles), db.unindexed(_u.is_active).in_(states)]
        return
    for role in roles:
        for active in states:
            yield [_u.role == role, _u.is_active.is_(active)]


def _parts(keys: tuple[Any, ...], backwards: bool, last: Any) -> Iterator[tuple[list[Any], tuple[Any, ...]]]:
    """A queue in one part, or in two where the column may be empty: who has nothing there comes last."""
    first, rest = keys[0], keys[1:]
    if not first.nullable:
        yield _behind(keys, backwards, last), keys
        return
    nothing_there = last is not None and last._mapping[first.name] is None
    if not nothing_there:
        yield [first.is_not(None), *_behind(keys, backwards, last)], keys
    yield [first.is_(None), *_behind(rest, backwards, last if nothing_there else None)], rest


def _behind(keys: tuple[Any, ...], backwards: bool, last: Any) -> list[Any]:
    if last is None:
        return []
    here, there = sa.tuple_(*keys), sa.tuple_(*(sa.literal(last._mapping[key.name], key.type) for key in keys))
    return [here < there if backwards else here > there]


def _merged(queues: list[Any], sort: str, limit: int) -> Any:
    keys, backwards = SORTS[sort]
    people = sa.union_all(*(sa.select(queue.subquery()) for queue in queues)).subquery("people")
    page = sa.select(people).order_by(*_last_without(people, keys, backwards)).limit(limit).subquery("page")
    return sa.select(page, _live(page.c.id)).order_by(*_last_without(page, keys, backwards))


def _last_without(table: Any, keys: tuple[Any, ...], backwards: bool) -> list[Any]:
    columns = tuple(table.c[key.name] for key in keys)
    return [*([columns[0].is_(None)] if keys[0].nullable else []), *_along(columns, backwards)]


def _along(keys: tuple[Any, ...], backwards: bool) -> list[Any]:
    return [key.desc() if backwards else key.asc() for key in keys]


def _live(user_id: Any) -> Any:
    live = sa.select(sa.func.count()).where(rotation.is_live(db.utcnow(), of=user_id))
    return live.scalar_subquery().label("sessions")
