"""How long a session lasts: which sessions are live, when each ends, and when its row is deleted.

A session ends when it is revoked (`revocation`), when nobody has used it for the lifetime of a refresh token, and at
its absolute expiry.
Chapter: "Rotation and reuse". Source: OWASP Session Management; v5.0.0-7.3.1, v5.0.0-7.3.2.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app import db
from app.auth.models import session_rows
from app.settings import get_settings

RETENTION = timedelta(days=30)  # after the end of the session
_s = session_rows.c


def is_live(now: datetime | None = None, *, of: Any = None) -> Any:
    """A WHERE condition: the session is not revoked, and neither its idle nor its absolute lifetime is over.

    Without `now`, it takes the parameters of `live_at`: for statements that are built once. `of` restricts it to one
    user (an id or a column). The condition then hides `revoked_at` from SQLite's planner, which would otherwise choose
    the index of live sessions and scan those of all users.
    """
    at = live_at(now) if now else {name: sa.bindparam(name, type_=_s.ends_at.type) for name in ("now", "idle_since")}
    in_time = sa.and_(_s.ends_at > at["now"], _s.handed_at > at["idle_since"])
    if of is None:
        return sa.and_(_s.revoked_at.is_(None), in_time)
    return sa.and_(_s.user_id == of, db.unindexed(_s.revoked_at).is_(None), in_time)


def live_at(now: datetime) -> dict[str, Any]:
    """The parameters of `is_live`."""
    return {"now": now, "idle_since": now - idle()}


def end_of(row: Any) -> datetime:
    """When the session was revoked, or when it expires if it is not used again."""
    end: datetime = row.revoked_at or min(row.ends_at, row.handed_at + idle())
    return end


async def prune(now: datetime) -> int:
    """Delete the sessions whose absolute expiry is over 30 days ago. Returns how many.

    Until then, a replayed refresh token is recognised.
    """
    return await db.prune(session_rows, session_rows.c.ends_at < now - RETENTION)


def idle() -> timedelta:
    """How long a session lives without being used: the lifetime of a refresh token."""
    return timedelta(seconds=get_settings().refresh_token_seconds)
