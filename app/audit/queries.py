"""Reads the audit log: the events of an account, and those of one of its sessions.

Chapter: "The audit log".
"""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit.events import SESSION_REPLAYED, SESSION_RETRY_REQUESTED, SESSION_ROTATED
from app.audit.models import event_rows

_e = event_rows.c
# Built once at import.
_OF_USER = (
    sa.select(event_rows)
    .where(
        _e.user_id == sa.bindparam("user_id"),
        _e.event.not_in((SESSION_ROTATED, SESSION_REPLAYED, SESSION_RETRY_REQUESTED)),
    )
    .order_by(_e.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_OF_USER_AFTER = _OF_USER.where(_e.id < sa.bindparam("after"))


async def of_user(user_id: UUID, limit: int = 10, *, after: UUID | None = None) -> list[Any]:
    """The events of an account, newest first, without token refreshes.

    `after`: the id of the last event of the previous page.
    """
    values = {"user_id": user_id, "limit": limit}
    if after:
        return await db.fetch_all(_OF_USER_AFTER, values | {"after": after})
    return await db.fetch_all(_OF_USER, values)


async def of_session(user_id: UUID, session_id: UUID, limit: int = 500) -> list[Any]:
    """The newest `limit` events of one session of an account, token refreshes included, oldest first."""
    table = event_rows
    query = (
        sa.select(table)
        .where(table.c.user_id == user_id, table.c.session_id == session_id)
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    return (await db.fetch_all(query))[::-1]
