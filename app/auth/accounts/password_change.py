"""Password change: the owner replaces the current password with a new one.

Chapter: "The life of an account". Source: v5.0.0-6.2.2, v5.0.0-6.2.3, v5.0.0-7.2.4, v5.0.0-7.4.3.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, passwords
from app.auth.accounts import login_flow, profile
from app.auth.accounts.profile import FieldErrors
from app.auth.errors import SessionEnded
from app.auth.rate_limit import attempts
from app.auth.sessions import revocation, session_cache
from app.auth.tokens import TokenPair
from app.email import outbox
from app.web import client

SAME_PASSWORD = "This is your current password. Choose another one."  # noqa: S105 - a sentence


async def change_password(
    user_id: UUID, sid: UUID, current: str, new: str, also: Callable[[Any, datetime], Awaitable[Any]] | None = None
) -> TokenPair | FieldErrors:
    """Replace the password. Every other session ends; this one continues under a new id, its expiry unchanged.

    A person who knew the old password keeps no access: other sessions, copies of this session's tokens and open mailed
    links (except the undo link of an email change) become invalid. `also(tx, now)` runs in the same transaction.
    Returns the new tokens, or the validation errors by field.
    Raises TooManyAttempts, Overloaded; SessionEnded if this session has ended, and then nothing changes.
    """
    async with attempts.step_up(sid, db.utcnow()) as attempt:
        user = await profile.load_user(user_id)
        field_errors: FieldErrors = {}
        if not await profile.password_is_right(attempt, current, user, sid):
            field_errors["current_password"] = profile.NOT_YOURS
        if error := _password_error(user, current, new):
            field_errors["new_password"] = error
        if field_errors:
            return field_errors
        encoded = await passwords.hash(new)
        async with db.transaction() as tx:
            now = await tx.fetch_value(sa.select(db.now()))
            values = {"password": encoded, "must_change_password": False}
            if await login_flow.lock_unchanged(tx, user, values):
                reason = events.CREDENTIALS_CHANGED
                await revocation.revoke_all(user_id, reason, tx=tx, now=now, actor_id=user_id, but=sid)
                pair = await login_flow.replace_session(tx, user, sid, now)
                if pair is None:
                    raise SessionEnded
                await email_links.void_all_but_undo(tx, now, user_id)
                if also:
                    await also(tx, now)
                await session_cache.invalidate(tx, user_id=user_id)
                await events.record(events.PASSWORD_CHANGED, tx=tx, user_id=user_id, actor_id=user_id)
                await outbox.enqueue(tx, "password_changed", user_id=user_id, **client.current().words())
                return pair
        return {"current_password": profile.NOT_YOURS}  # changed by another request meanwhile


def _password_error(user: Any, current: str, new: str) -> str | None:
    if error := passwords.validation_error(new, about=(user.email, user.name)):
        return error
    return SAME_PASSWORD if passwords.normalise(new) == passwords.normalise(current) else None
