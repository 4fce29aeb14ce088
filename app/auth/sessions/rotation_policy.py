"""The rotation policy: rotate, replay, retry or reuse. One pure decision table, without clock and database.

Chapter: "Rotation and reuse". Source: RFC 9700 section 4.14.2; v5.0.0-10.4.5. Pattern: refresh-endpoint.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Protocol

LEEWAY = timedelta(seconds=30)  # two tabs that refreshed at the same moment
RETRY_WINDOW = timedelta(seconds=300)  # a request that hung in a bad network may come back once
CLOCK_SET_BACK = timedelta(seconds=-120)  # beyond it, an age means nothing: ask


class Decision(Enum):
    ROTATE = "rotate"  # hand out the next generation
    REPLAY = "replay"  # hand out the current generation once more
    RETRY = "ask_again"  # no token: re-read the cookie jar and come back
    INVALID = "invalid"  # not a token of this session
    DEAD = "dead"  # the session is over
    REUSE = "reuse"  # somebody else holds a copy: end the session


class SessionState(Protocol):
    """The part of a session's row that the verdict depends on."""

    generation: int
    confirmed: int
    handed_at: datetime
    ends_at: datetime
    revoked_at: datetime | None


def decide(session: SessionState | None, active: bool, g: int, asked: bool, now: datetime, idle: timedelta) -> Decision:
    """What to do with refresh token number `g`, whose signature and `jti` are good.

    `active`: the account may sign in. `filters`: the caller was told to ask again before. `idle`: how long a pair lives
    after it was handed out. Order is decided by generation, never by time; the leeway is looked at last, so it can
    never re-open a session that has ended.
    """
    if session is None or not active or session.revoked_at is not None:
        return Decision.DEAD
    if now >= session.ends_at or now >= session.handed_at + idle:
        return Decision.DEAD
    if g > session.generation:
        return Decision.INVALID
    if g == session.generation:
        return Decision.ROTATE
    if g < session.generation - 1:
        return Decision.REUSE
    if session.confirmed < session.generation:
        return Decision.REPLAY  # the answer with the successor got lost: no time limit
    age = now - session.handed_at
    if CLOCK_SET_BACK <= age <= LEEWAY:
        return Decision.REPLAY
    if age <= RETRY_WINDOW and not asked:
        return Decision.RETRY
    return Decision.REUSE


def issued(session: SessionState, g: int, decision: Decision, now: datetime) -> dict[str, Any]:
    """What handing out a pair changes in the row, for ROTATE and REPLAY of token number `g`."""
    changes: dict[str, Any] = {}
    if g > session.confirmed:
        changes["confirmed"] = g  # who presents g has received g
    if decision is Decision.ROTATE:
        changes |= {"generation": g + 1, "handed_at": now}
    elif session.confirmed < session.generation:
        changes["handed_at"] = now  # a lost answer, handed out again; two tabs at once leave it alone
    return changes
