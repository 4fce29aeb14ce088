"""Profile: the name of an account, and the checks that password change and email change share.

Chapter: "The life of an account". Source: v5.0.0-6.2.3.
"""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import passwords
from app.auth.accounts import user_search
from app.auth.errors import SessionEnded
from app.auth.models import user_rows
from app.auth.rate_limit import attempts
from app.auth.sessions import session_cache

NOT_YOURS = "The password is wrong."
FieldErrors = dict[str, str]  # field -> the message shown beside it


async def change_name(user_id: UUID, name: str) -> bool:
    """Change the name of the account. False if the name is the same or the account does not exist."""
    table = user_rows
    async with db.transaction() as tx:
        user = await tx.fetch_one(sa.select(table).where(table.c.id == user_id).with_for_update())
        if user is None or user.name == name:
            return False
        values = {"name": name, "search_text": user_search.search_text(name, user.email_key)}
        await tx.execute(sa.update(table).where(table.c.id == user_id).values(values))
        await user_search.index(tx, user_id, name, user.email_key)
        await session_cache.invalidate(tx, user_id=user_id)
        await events.record(events.NAME_CHANGED, tx=tx, user_id=user_id, actor_id=user_id)
    return True


async def load_user(user_id: UUID) -> Any:
    """The row of the account. Raises SessionEnded if the account was deleted."""
    user = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == user_id))
    if user is None:
        raise SessionEnded
    return user


async def password_is_right(attempt: attempts.Attempt, current: str, user: Any, sid: UUID) -> bool:
    """Whether this is the current password. Counts the attempt before any other validation error is shown."""
    if await attempt.settle((await passwords.verify(current, user.password)).ok, user.id):
        return True
    await events.record(events.STEP_UP_FAILED, user_id=user.id, actor_id=user.id, session_id=sid)
    return False
