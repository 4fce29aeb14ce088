"""Sessions that ended because an old token was used again, until their owner has settled whether that was them.

Anyone who holds another copy of the owner's cookies sees the same question. So only what a copy alone cannot do settles
it: "that was me" with a proof (`mfa.proofs`), or a new password. "That was not me" is recorded and settles nothing.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import session_rows

ASKED_FOR = timedelta(days=30)
OWNER, SOMEBODY_ELSE = "the owner", "somebody else"


class Review(NamedTuple):
    """`session`: its row. `denied`: somebody answered that it was not the owner."""

    session: Any
    denied: bool


async def open_review(user_id: UUID, now: datetime, tx: Any = db) -> Review | None:
    """The newest such session of the last 30 days, unless it is settled.

    Two queries at most: the sessions of one person, and what happened since. Nearly always the first finds nothing.
    """
    ended = await tx.fetch_one(_ENDED, {"user_id": user_id, "since": now - ASKED_FOR})
    if ended is None:
        return None
    since = {"user_id": user_id, "sid": ended.id, "ended_at": ended.revoked_at}
    happened = {(row.event, row.detail) for row in await tx.fetch_all(_SINCE, since)}
    if {event for event, _ in happened} - {events.SESSION_REUSE_ANSWERED} or (ANSWERED, OWNER) in happened:
        return None
    return Review(ended, (ANSWERED, SOMEBODY_ELSE) in happened)


async def reuse_event(user_id: UUID, sid: UUID) -> Any:
    """The row of the audit log that says where the old token came from; None if it is gone."""
    event = event_rows.c
    which = (event.user_id == user_id, event.session_id == sid, db.unindexed(event.event) == events.SESSION_REUSED)
    return await db.fetch_one(sa.select(event_rows).where(*which).order_by(event.id.desc()).limit(1))


async def deny(user_id: UUID, sid: UUID) -> None:
    """Record that it was somebody else, once, unless that session is settled."""
    async with db.transaction() as tx:
        await _answer(tx, user_id, sid, SOMEBODY_ELSE)


async def confirm(tx: Any, user_id: UUID, sid: UUID) -> None:
    """Record that it was the owner, in the transaction that has checked a proof, unless that session is settled."""
    await _answer(tx, user_id, sid, OWNER)


async def _answer(tx: Any, user_id: UUID, sid: UUID, who: str) -> None:
    await tx.fetch_one(_LOCKED, {"sid": sid})  # of answers sent at once, each sees the ones before it
    review = await open_review(user_id, await tx.fetch_value(sa.select(db.now())), tx)
    if review and review.session.id == sid and not (review.denied and who == SOMEBODY_ELSE):
        about = {"user_id": user_id, "actor_id": user_id, "session_id": sid}
        await events.record(ANSWERED, tx=tx, **about, detail=who)


ANSWERED = events.SESSION_REUSE_ANSWERED
_s, _e = session_rows.c, event_rows.c
_LOCKED = sa.select(_s.id).where(_s.id == sa.bindparam("sid")).with_for_update()
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
_SINCE = sa.select(_e.event, _e.detail).where(
    _e.user_id == sa.bindparam("user_id"),
    _e.id > sa.bindparam("sid"),  # an id begins with a time: nothing is settled before the session began
    sa.or_(
        sa.and_(db.unindexed(_e.event) == ANSWERED, _e.session_id == sa.bindparam("sid")),
        sa.and_(
            db.unindexed(_e.event).in_((events.PASSWORD_CHANGED, events.PASSWORD_RESET)),
            _e.at > sa.bindparam("ended_at", type_=_e.at.type),
        ),
    ),
)
