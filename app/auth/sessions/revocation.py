"""Revoking sessions: one, all of a user, or everybody's. Each writes an audit event in the same transaction.

A revoked session refreshes no token from then on, and every worker drops it from its cache (`session_cache`).
Chapter: "Revocation and the session cache". Source: OWASP Session Management; v5.0.0-7.4.1.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth.models import session_rows
from app.auth.sessions import session_cache
from app.auth.sessions.lifetime import is_live

BATCH = 500  # sessions per transaction in `revoke_everybody`
_s = session_rows.c


async def revoke(sid: UUID, reason: str, *, tx: Any, now: datetime, actor_id: UUID | None = None) -> bool:
    """Revoke one session; True if this call revoked it. `reason`: one of the reasons in `audit.events`."""
    return await _revoke(tx, session_rows.c.id == sid, reason, now, actor_id) == 1


async def revoke_all(
    user_id: UUID, reason: str, *, tx: Any, now: datetime, actor_id: UUID | None = None, but: UUID | None = None
) -> int:
    """Revoke every session of the user except `but`. Returns how many this call revoked."""
    theirs = session_rows.c.user_id == user_id
    which = sa.and_(theirs, session_rows.c.id != but) if but else theirs
    return await _revoke(tx, which, reason, now, actor_id)


async def revoke_everybody(reason: str) -> int:
    """Revoke every session that is live now, BATCH per transaction. Returns how many.

    For an operator who restored a backup: it lists sessions as live that were ended since. Sessions started while this
    runs stay live.
    """
    now = await db.fetch_value(sa.select(db.now()))
    some = sa.select(_s.id).where(is_live(now), _s.created_at <= now).limit(BATCH)
    total = 0
    while True:
        async with db.transaction() as tx:
            ended = await _revoke(tx, _s.id.in_(some), reason, now, None)
        if not ended:
            return total
        total += ended


async def _revoke(tx: Any, which: Any, reason: str, now: datetime, actor_id: UUID | None) -> int:
    table = session_rows
    ended = await tx.fetch_all(
        sa.update(table)
        .where(which, table.c.revoked_at.is_(None))
        .values(revoked_at=now, revoked_for=reason)
        .returning(table.c.id, table.c.user_id)
    )
    for row in ended:
        tx.session_ended(row.id)
        await session_cache.invalidate(tx, session_id=row.id)
        await events.record(
            events.SESSION_REVOKED, tx=tx, user_id=row.user_id, actor_id=actor_id, session_id=row.id, detail=reason
        )
    return len(ended)
