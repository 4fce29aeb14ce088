"""Queries of users and their sessions for the admin area. `auth.accounts.user_admin` alone changes them.

However many people there are, a page of them costs as many steps along an index as it has rows. They stand in a queue
for each role and state, each queue has an index for each order, and a page merges the heads of the queues it wants. A
search that few people fit goes the other way: it finds all of them and sorts them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel

from app import db
from app.auth import email_links
from app.auth.accounts import user_search
from app.auth.models import link_rows, session_rows, user_rows
from app.auth.roles import ROLES
from app.auth.sessions import lifetime
from app.web import urls
from app.web.filters import Cursor, Trimmed, one_of
from app.web.paging import COUNTED, PAGE, Page

_u = user_rows.c
COLUMNS = (
    _u.id, _u.name, _u.email, _u.role, _u.is_active, _u.created_at, _u.last_login, _u.delete_after,
    _u.must_change_password, _u.second_factor_at, _u.invited_at, _u.search_text, _u.email_key,
)  # fmt: skip

# What a list may be sorted by -> the columns that decide, the id at last, and whether it runs backwards.
SORTS: dict[str, tuple[tuple[Any, ...], bool]] = {
    "newest": ((_u.id,), True),
    "oldest": ((_u.id,), False),
    "name": ((_u.search_text, _u.id), False),
    "name_desc": ((_u.search_text, _u.id), True),
    "email": ((_u.email_key, _u.id), False),
    "email_desc": ((_u.email_key, _u.id), True),
    "last_login": ((_u.last_login, _u.id), True),
    "last_login_asc": ((_u.last_login, _u.id), False),
}
SESSIONS_SHOWN = 50
EVER = datetime(1970, 1, 1, tzinfo=UTC)


class PeopleFilters(BaseModel):
    """`q`: words that name or address begin with, or an id. `verified`: the address is confirmed. "" stands for all."""

    q: Trimmed = ""
    role: Annotated[str, one_of(*ROLES)] = ""
    status: Annotated[str, one_of("active", "deactivated")] = ""
    verified: Annotated[str, one_of("yes", "no")] = ""
    sort: Annotated[str, one_of(*SORTS)] = "newest"
    cursor: Cursor = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the text of a list's statement; the values it is run with are parameters.

    `ident`: one person is asked for. `rare` and `common`: how many such words are searched for (see `user_search`).
    `behind`: "" for the first page, "value" behind a row, "nothing" behind one whose sort column is empty. `up`: in
    front of that row instead, and from there back to the beginning.
    """

    sort: str
    role: str
    status: str
    verified: str
    ident: bool
    rare: int
    common: int
    behind: str
    up: bool
    limit: int

    @property
    def few(self) -> bool:
        """Few people fit: they are all found first, and sorted then."""
        return self.ident or bool(self.rare) or self.verified == "no"

    def anywhere(self) -> "Shape":
        """The same people, in no order and from no row on."""
        return replace(self, sort="newest", behind="", up=False, limit=COUNTED + 1)


async def listing(
    filters: PeopleFilters, limit: int = PAGE, *, last: Any = None, before: UUID | None = None, counted: bool = False
) -> Page:
    """A page of people with the number of their live sessions. Three queries at most, and one to count them.

    It begins behind `filters.cursor`, or behind the row `last` even if that person is gone meanwhile; or it ends in
    front of the person `before`.
    """
    ident = urls.uuid_or_none(filters.q)
    found = user_search.Matching()
    if filters.q and not ident:
        found = await user_search.matching(filters.q, sorted_by_words=filters.sort.startswith(("name", "email")))
        if not found.values:
            return Page([], None, total=0)
    cursor = before or filters.cursor
    if cursor and not last:  # looked up, so that no name stands in an address
        last = await db.fetch_one(_BEHIND, {"wanted": cursor})
    values = lifetime.live_at(db.utcnow()) | found.values | {"wanted": ident}
    behind = ""
    if last is not None:
        keys, _ = SORTS[filters.sort]
        behind = "nothing" if last._mapping[keys[0].name] is None else "value"
        values |= {f"last_{key.name}": last._mapping[key.name] for key in keys}
    shape = Shape(
        filters.sort, filters.role, filters.status, filters.verified, ident is not None, found.rare, found.common,
        behind, bool(before and behind), limit + 1,
    )  # fmt: skip
    rows = await db.fetch_all(_statement(shape), values, plan_again=bool(found.values))
    total = None
    if counted:
        total = (await db.fetch_all(_counted(shape.anywhere()), values, plan_again=bool(found.values)))[0][0]
    return Page.before(rows, limit, total=total) if shape.up else Page.of(rows, limit, behind=bool(behind), total=total)


async def get(user_id: UUID) -> Any:
    """One person as in the list, or None."""
    return await db.fetch_one(_ONE, {"wanted": user_id} | lifetime.live_at(db.utcnow()))


async def sessions_of(user_id: UUID) -> list[Any]:
    """Live sessions, the one used last first."""
    table = session_rows
    live = sa.select(table).where(lifetime.is_live(db.utcnow(), of=user_id)).order_by(table.c.last_seen_at.desc())
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


@lru_cache(256)
def _statement(shape: Shape) -> Any:
    """The statement of a list; building one takes longer than running it."""
    queues = [sa.select(*COLUMNS).where(*which).order_by(*order) for which, order in _queues(shape)]
    return _merged([queue.limit(shape.limit) for queue in queues], shape)


@lru_cache(64)
def _counted(shape: Shape) -> Any:
    queues = [sa.select(_u.id).where(*which).limit(shape.limit).subquery() for which, _ in _queues(shape)]
    some = sa.union_all(*(sa.select(queue) for queue in queues)).limit(shape.limit).subquery()
    return sa.select(sa.func.count()).select_from(some)


def _verified(verified: str) -> list[Any]:
    """Few have not confirmed their address: who was invited and did not come in yet (`user_admin.invited`)."""
    came_in, invited = _u.last_login.is_not(None), _u.invited_at > EVER  # a range of the index; "not null" is none
    if verified == "no":
        return [_u.last_login.is_(None), invited]
    return [sa.or_(came_in, _u.invited_at.is_(None))] if verified == "yes" else []


def _queues(shape: Shape) -> Iterator[tuple[list[Any], list[Any]]]:
    """The conditions and the order of each queue, from behind the last row on; of few people all at once."""
    which = _verified(shape.verified)
    if shape.rare or shape.common:
        which += user_search.conditions(shape.rare, shape.common)
    if shape.ident:
        which.append(_u.id == sa.bindparam("wanted"))
    keys, backwards = SORTS[shape.sort]
    backwards ^= shape.up
    parts = list(_parts(keys, backwards, shape.behind, shape.up))
    if shape.few:  # no index of the queues may lead
        chosen = [db.unindexed(_u.role) == shape.role] if shape.role else []
        chosen += [db.unindexed(_u.is_active).is_(shape.status == "active")] if shape.status else []
        behind = [sa.or_(*(sa.and_(*part) for part, _ in parts))] if shape.behind else []
        yield [*chosen, *behind, *which], _last_without(user_rows, keys, backwards, shape.up)
        return
    roles = [shape.role] if shape.role else ROLES
    if not shape.role:  # usually nobody, so they are all found first
        gone = [_u.role.in_(of_no_role())]
        gone += [db.unindexed(_u.is_active).is_(shape.status == "active")] if shape.status else []
        gone += [sa.or_(*(sa.and_(*part) for part, _ in parts))] if shape.behind else []
        yield [*gone, *which], _last_without(user_rows, keys, backwards, shape.up)
    states = [shape.status == "active"] if shape.status else [True, False]
    for role, active in product(roles, states):
        for part, order in parts:
            yield [_u.role == role, _u.is_active.is_(active), *part, *which], _along(order, backwards)


def of_no_role() -> Any:
    """The roles that users have and `ROLES` does not: taken out of the table. One step along an index for each role."""
    held = sa.select(sa.func.min(_u.role).label("role")).cte("held", recursive=True)
    other = user_rows.alias("other").c.role
    following = sa.select(sa.func.min(other)).where(other > held.c.role).scalar_subquery()
    held = held.union_all(sa.select(following).where(held.c.role.is_not(None)))
    return sa.select(held.c.role).where(held.c.role.not_in(ROLES))


def _parts(
    keys: tuple[Any, ...], backwards: bool, behind: str, up: bool
) -> Iterator[tuple[list[Any], tuple[Any, ...]]]:
    """A queue in one part, or in two where the column may be empty: who has nothing there comes last in every order."""
    first, rest = keys[0], keys[1:]
    if not first.nullable:
        yield _behind(keys, backwards) if behind else [], keys
        return
    if up or behind != "nothing":
        yield [first.is_not(None), *(_behind(keys, backwards) if behind == "value" else [])], keys
    if not up or behind == "nothing":
        yield [first.is_(None), *(_behind(rest, backwards) if behind == "nothing" else [])], rest


def _behind(keys: tuple[Any, ...], backwards: bool) -> list[Any]:
    here, there = sa.tuple_(*keys), sa.tuple_(*(sa.bindparam(f"last_{key.name}", type_=key.type) for key in keys))
    return [here < there if backwards else here > there]


def _merged(queues: list[Any], shape: Shape) -> Any:
    keys, backwards = SORTS[shape.sort]
    backwards ^= shape.up
    people = sa.union_all(*(sa.select(queue.subquery()) for queue in queues)).subquery("people")
    first = sa.select(people).order_by(*_last_without(people, keys, backwards, shape.up)).limit(shape.limit)
    page = first.subquery("page")
    return sa.select(page, _live(page.c.id)).order_by(*_last_without(page, keys, backwards, shape.up))


def _last_without(table: Any, keys: tuple[Any, ...], backwards: bool, up: bool) -> list[Any]:
    columns = tuple(table.c[key.name] for key in keys)
    nothing_there = columns[0].is_(None)
    empty = [nothing_there.desc() if up else nothing_there] if keys[0].nullable else []
    return [*empty, *_along(columns, backwards)]


def _along(keys: tuple[Any, ...], backwards: bool) -> list[Any]:
    return [key.desc() if backwards else key.asc() for key in keys]


def _live(user_id: Any) -> Any:
    live = sa.select(sa.func.count()).where(lifetime.is_live(of=user_id))
    return live.scalar_subquery().label("sessions")


_BEHIND = sa.select(*COLUMNS).where(_u.id == sa.bindparam("wanted"))
_ONE = sa.select(*COLUMNS, _live(_u.id)).where(_u.id == sa.bindparam("wanted"))
