"""Logout, and ending one's own sessions on other devices. By administrators: `user_admin`.

Each function locks the user's row before the session's, as in `login_flow`.
Chapter: "The life of an account".
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links
from app.auth.claims import AppToken
from app.auth.models import session_rows, user_rows
from app.auth.sessions import revocation

_NOW = sa.select(db.now())


async def logout(presented: Iterable[AppToken]) -> None:
    """End the sessions of these tokens, of any age or generation. A repeat is no error and records no second event."""
    for token in presented:
        user_id = UUID(token.sub)
        async with db.transaction() as tx:
            now = await tx.fetch_value(_NOW)
            if await revocation.revoke(token.sid, events.LOGGED_OUT, tx=tx, now=now, actor_id=user_id):
                await events.record(events.LOGOUT, tx=tx, user_id=user_id, actor_id=user_id, session_id=token.sid)


async def end_own_session(user_id: UUID, sid: UUID) -> bool:
    """End one of the user's own sessions. False if it has ended or belongs to another account."""
    own = sa.select(session_rows.c.id).where(session_rows.c.id == sid, session_rows.c.user_id == user_id)
    async with db.transaction() as tx:
        now = await tx.fetch_value(_NOW)
        await tx.fetch_one(_locked(user_id))
        if await tx.fetch_one(own) is None:
            return False
        await email_links.void_email_change(tx, now, user_id)
        return await revocation.revoke(sid, events.ENDED_BY_OWNER, tx=tx, now=now, actor_id=user_id)


async def end_other_sessions(user_id: UUID, sid: UUID) -> int:
    """End all sessions of the user but this one; returns how many. Cancels a pending email change."""
    async with db.transaction() as tx:
        now = await tx.fetch_value(_NOW)
        await tx.fetch_one(_locked(user_id))
        await email_links.void_email_change(tx, now, user_id)
        return await revocation.revoke_all(user_id, events.ENDED_BY_OWNER, tx=tx, now=now, actor_id=user_id, but=sid)


def _locked(user_id: UUID) -> Any:
    return sa.select(user_rows.c.id).where(user_rows.c.id == user_id).with_for_update()
