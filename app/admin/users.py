"""Queries of users and their sessions for the admin area. `auth.accounts.user_admin` alone changes them.

The statements of the list of users are built in `user_statements`.
"""

from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel

from app import db
from app.admin import user_statements
from app.auth import email_links
from app.auth.accounts import user_search
from app.auth.models import link_rows, session_rows, user_rows
from app.auth.roles import ROLES
from app.auth.sessions import lifetime
from app.web import urls
from app.web.filters import Cursor, Trimmed, one_of
from app.web.paging import PAGE, Page

_u = user_rows.c
SESSIONS_SHOWN = 50


class PeopleFilters(BaseModel):
    """`q`: words that name or address begin with, or an id. `verified`: the address is confirmed. "" stands for all."""

    q: Trimmed = ""
    role: Annotated[str, one_of(*ROLES)] = ""
    status: Annotated[str, one_of("active", "deactivated")] = ""
    verified: Annotated[str, one_of("yes", "no")] = ""
    sort: Annotated[str, one_of(*user_statements.SORTS)] = "newest"
    cursor: Cursor = None


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
        keys, _ = user_statements.SORTS[filters.sort]
        behind = "nothing" if last._mapping[keys[0].name] is None else "value"
        values |= {f"last_{key.name}": last._mapping[key.name] for key in keys}
    shape = user_statements.Shape(
        filters.sort, filters.role, filters.status, filters.verified, ident is not None, found.rare, found.common,
        behind, bool(before and behind), limit + 1,
    )  # fmt: skip
    rows = await db.fetch_all(user_statements.page(shape), values, plan_again=bool(found.values))
    total = None
    if counted:
        count = user_statements.count(shape.anywhere())
        total = (await db.fetch_all(count, values, plan_again=bool(found.values)))[0][0]
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


_BEHIND = sa.select(*user_statements.COLUMNS).where(_u.id == sa.bindparam("wanted"))
_ONE = sa.select(*user_statements.COLUMNS, user_statements.live_sessions()).where(_u.id == sa.bindparam("wanted"))
