"""What the admin area reads of people. Changes are made by `auth.accounts` alone."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth.models import session_rows, user_rows

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Some people, newest first, and the id to go on after (None: there are no more)."""

    items: list[Any]
    next_cursor: str | None


async def listing(*, search: str = "", after: UUID | None = None) -> Page:
    """People whose address or name contains the text, with the number of their live sessions."""
    query = _people().order_by(user_rows.c.id.desc()).limit(PAGE + 1)
    if search:
        query = query.where(user_rows.c.search_text.contains(db.folded(search), autoescape=True))
    if after:
        query = query.where(user_rows.c.id < after)
    rows = await db.fetch_all(query)
    return Page(rows[:PAGE], str(rows[PAGE - 1].id) if len(rows) > PAGE else None)


async def get(user_id: UUID) -> Any:
    return await db.fetch_one(_people().where(user_rows.c.id == user_id))


def _people() -> sa.Select[Any]:
    live = (
        sa.select(sa.func.count())
        .where(
            session_rows.c.user_id == user_rows.c.id,
            session_rows.c.revoked_at.is_(None),
            session_rows.c.ends_at > db.now(),
        )
        .scalar_subquery()
    )
    columns = (
        user_rows.c.id,
        user_rows.c.name,
        user_rows.c.email,
        user_rows.c.role,
        user_rows.c.is_active,
        user_rows.c.created_at,
        user_rows.c.last_login,
    )
    return sa.select(*columns, live.label("sessions"))
