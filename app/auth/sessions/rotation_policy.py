"""The rotation policy: rotate, replay, retry or reuse. A pure function that uses no clock and no database.

Chapter: "Rotation and reuse". Source: RFC 9700 section 4.14.2; v5.0.0-10.4.5. Pattern: refresh-endpoint.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Protocol

LEEWAY = timedelta(seconds=30)  # two tabs that refresh at the same time
RETRY_WINDOW = timedelta(seconds=300)  # a request that a slow network delayed gets one retry
CLOCK_SET_BACK = timedelta(seconds=-120)  # a lower age proves that the clock was set back: RETRY


class Decision(Enum):
    ROTATE = "rotate"  # issue the next generation
    REPLAY = "replay"  # issue the current generation again
    RETRY = "retry"  # issue nothing: the client reads its cookies again and retries
    INVALID = "invalid"  # not a token of this session
    ENDED = "ended"  # the session was revoked or has expired, or the account is inactive
    REUSE = "reuse"  # two clients hold the same token: revoke the session
    UNPROVEN = "unproven"  # the session is bound to a device, and this request did not prove to come from it


class SessionState(Protocol):
    """The columns of a session's row that the decision depends on."""

    generation: int
    confirmed: int
    handed_at: datetime
    ends_at: datetime
    revoked_at: datetime | None


def decide(
    session: SessionState | None, active: bool, g: int, retry: bool, now: datetime, idle: timedelta, *, proven: bool
) -> Decision:
    """What to do with a refresh token of generation `g` whose signature and `jti` are valid.

    `active`: the account may sign in. `retry`: the client already got RETRY for this token. `idle`: lifetime of a
    refresh token. `proven`: the session is bound to no device, or its device has signed our challenge. Without that
    nothing is issued and nothing ends: copied cookies must not end the session of their owner. The generation decides
    which token is newer, never the time. The leeway is applied last, so it never reopens a session that has ended.
    """
    if session is None or not active or session.revoked_at is not None:
        return Decision.ENDED
    if now >= session.ends_at or now >= session.handed_at + idle:
        return Decision.ENDED
    if not proven:
        return Decision.UNPROVEN
    if g > session.generation:
        return Decision.INVALID
    if g == session.generation:
        return Decision.ROTATE
    if g < session.generation - 1:
        return Decision.REUSE
    if session.confirmed < session.generation:
        return Decision.REPLAY  # the response with the next token got lost: no time limit
    age = now - session.handed_at
    if CLOCK_SET_BACK <= age <= LEEWAY:
        return Decision.REPLAY
    if age <= RETRY_WINDOW and not retry:
        return Decision.RETRY
    return Decision.REUSE


def issued(session: SessionState, g: int, decision: Decision, now: datetime) -> dict[str, Any]:
    """The columns that ROTATE or REPLAY of a token of generation `g` changes, with their values."""
    changes: dict[str, Any] = {}
    if g > session.confirmed:
        changes["confirmed"] = g  # a client that sends generation g has received it
    if decision is Decision.ROTATE:
        changes |= {"generation": g + 1, "handed_at": now}
    elif session.confirmed < session.generation:
        changes["handed_at"] = now  # a lost response, issued again; two concurrent tabs do not change it
    return changes
