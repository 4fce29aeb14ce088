"""Sessions that ended because an old token was used again, until their owner has said whether that was them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import session_rows

ASKED_FOR = timedelta(days=30)
ANSWERS = {"yes": "the owner", "no": "somebody else"}


async def unanswered(user_id: UUID, now: datetime) -> Any:
    """The newest such session of the last 30 days that its owner was not asked about or did not answer; else None.

    Two queries at most: the sessions of one person, and their answers since. Nearly always the first finds nothing.
    """
    ended = await db.fetch_one(_ENDED, {"user_id": user_id, "since": now - ASKED_FOR})
    if ended is None:
        return None
    event = event_rows.c
    answered = sa.select(event.id).where(
        event.user_id == user_id,
        db.unindexed(event.event) == events.SESSION_REUSE_ANSWERED,
        event.session_id == ended.id,
        event.id > ended.id,
    )
    return None if await db.fetch_one(answered.limit(1)) else ended


async def reuse_of(user_id: UUID, sid: UUID) -> Any:
    """The row of the audit log that says where the old token came from; None if it is gone."""
    event = event_rows.c
    which = (event.user_id == user_id, event.session_id == sid, db.unindexed(event.event) == events.SESSION_REUSED)
    return await db.fetch_one(sa.select(event_rows).where(*which).order_by(event.id.desc()).limit(1))


async def answer(user_id: UUID, sid: UUID, owner: str) -> None:
    """`owner`: a key of ANSWERS, whether the old token was used by the owner of the account."""
    await events.record(
        events.SESSION_REUSE_ANSWERED, user_id=user_id, actor_id=user_id, session_id=sid, detail=ANSWERS[owner]
    )


_s = session_rows.c
_ENDED = (
    sa.select(session_rows)
    .where(
        _s.user_id == sa.bindparam("user_id"),
        _s.revoked_for == events.REUSED,
        db.unindexed(_s.revoked_at) > sa.bindparam("since", type_=_s.revoked_at.type),
    )
    .order_by(_s.id.desc())
    .limit(1)
)
