"""Sessions and refresh token rotation: started, rotated, revoked. The only writer of the table.

A session is one login on one device, and it is the token family: rotation is one conditional UPDATE, reuse detection is
one comparison (`rotation_policy`). Every function that changes a row says so in the audit trail, in the same
transaction.
Chapter: "Rotation and reuse". Source: RFC 9700 section 4.14.2; OWASP Session Management. Patterns: token-pair,
refresh-endpoint, refresh-type-check.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, keys, tokens
from app.auth.errors import Overloaded
from app.auth.models import session_rows, user_rows
from app.auth.sessions import session_cache
from app.auth.sessions.rotation_policy import Decision, decide, issued
from app.auth.tokens import AppToken, TokenPair
from app.email import outbox
from app.settings import get_settings
from app.web import client

TRIES = 3  # a rotation that lost its race is judged again this often
QUICK_GAP = timedelta(seconds=5)
A_MOMENT = timedelta(minutes=1)
RETENTION = timedelta(days=30)  # after its end
BATCH = 500  # sessions that are ended in one transaction, where everybody's are
MARKER, MARKER_LASTS = "ask again", timedelta(seconds=60)
# Hands out nothing and ends nothing, but belongs in the trail.
AUDITED = {Decision.INVALID: events.REFRESH_FROM_THE_FUTURE, Decision.RETRY: events.SESSION_RETRY_REQUESTED}

# Prepared once: what a refresh says to the database.
_s, _u = session_rows.c, user_rows.c
_STARTED = sa.insert(session_rows)
_SESSION_AND_USER = (
    sa.select(
        _s.id, _s.user_id, _s.secret, _s.generation, _s.confirmed, _s.handed_at, _s.authenticated_at, _s.ends_at,
        _s.revoked_at, _u.is_active, _u.role, db.now().label("db_now"),
    )
    .select_from(session_rows.join(user_rows, _s.user_id == _u.id))
    .where(_s.id == sa.bindparam("sid"))
)  # fmt: skip
_ISSUE_SUCCESSOR = (
    sa.update(session_rows)
    .where(_s.id == sa.bindparam("sid"), _s.generation == sa.bindparam("judged"), _s.revoked_at.is_(None))
    .returning(_s.id, _s.user_id, _s.secret, _s.generation, _s.authenticated_at, _s.ends_at)
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """The pair to hand out, and how many resumes in a row came within seconds of the one before."""

    pair: TokenPair
    quick: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class Rejected:
    """No pair. `marker` is set for ASK_AGAIN: who brings it back within 60 seconds has asked before."""

    decision: Decision
    marker: str = ""


class Busy(Overloaded):
    """The row changed under three attempts in a row: try later (503)."""


async def start(tx: Any, user: Any, *, now: datetime, ends_at: datetime | None = None) -> TokenPair:
    """A new session in the caller's transaction, always with a new id: session fixation (v5.0.0-7.2.4).

    `user` needs id and role. `ends_at`: the absolute end to keep, for a session that replaces another one.
    """
    browser = client.current()
    values = {
        "id": db.uuid7(),
        "user_id": user.id,
        "secret": secrets.token_hex(32),
        "generation": 1,
        "confirmed": 0,
        "handed_at": now,
        "created_at": now,
        "last_seen_at": now,
        "authenticated_at": now,
        "ends_at": ends_at or now + timedelta(seconds=get_settings().session_seconds),
        "user_agent": browser.user_agent,
        "ip": browser.ip,
        "program": browser.program,
    }
    await tx.execute(_STARTED, values)
    return tokens.issue_pair(SimpleNamespace(**values), role=user.role, now=now)


async def rotate(raw: str | None, *, marker: str = "", retried: bool = False) -> Rotated | Rejected:
    """Exchange a refresh token for the next pair.

    One conditional UPDATE decides races; a lost answer is handed out again. The revocation after a reuse is committed
    before this returns. All times are the database's, so workers whose clocks differ agree.
    `marker` and `retried` say that the caller was told to ask again (page, API).
    Raises Busy; never raises for bad input.
    """
    token = tokens.read_whatever_its_age(raw, "refresh")
    if token is None:
        return Rejected(Decision.INVALID)
    for _ in range(TRIES):
        row = await db.fetch_one(_SESSION_AND_USER, {"sid": token.sid})
        if row is None:
            return Rejected(Decision.DEAD)
        if str(row.user_id) != token.sub or not _jti_fits(token, row):
            return Rejected(Decision.INVALID)
        asked = retried or marker_fits(marker, token, row.db_now)
        decision = _verdict(row, token, asked)
        if decision in (Decision.ROTATE, Decision.REPLAY):
            rotated = await _issue_successor(row, token, decision)
            if rotated is None:
                continue  # somebody else was faster: read again, judge again
            return rotated
        if decision is Decision.REUSE:
            await _revoke_reused(row, token)
        elif decision in AUDITED:
            detail = f"gen {token.gen} of {row.generation}"
            await events.record(AUDITED[decision], user_id=row.user_id, session_id=row.id, detail=detail)
        return Rejected(decision, _marker(token, row.db_now) if decision is Decision.RETRY else "")
    raise Busy(1)


async def revoke(sid: UUID, reason: str, *, tx: Any, now: datetime, actor_id: UUID | None = None) -> bool:
    """End one session; True if this call ended it. `reason` is a word of the events' vocabulary."""
    return await _revoke(tx, session_rows.c.id == sid, reason, now, actor_id) == 1


async def revoke_all(
    user_id: UUID, reason: str, *, tx: Any, now: datetime, actor_id: UUID | None = None, but: UUID | None = None
) -> int:
    """End every session of the user, `but` this one; how many this call ended."""
    theirs = session_rows.c.user_id == user_id
    which = sa.and_(theirs, session_rows.c.id != but) if but else theirs
    return await _revoke(tx, which, reason, now, actor_id)


async def revoke_every(reason: str) -> int:
    """End every session that is live now, some at a time, each some in its own transaction; how many.

    For an operator whose database has forgotten who signed out. Who signs in meanwhile stays.
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


def is_live(now: datetime, *, of: Any = None) -> Any:
    """For a WHERE: the session has not been ended, and neither its idle time nor its absolute one is over.

    `of`: whose (an id or a column). Along the index on the person, where SQLite would take the one of live sessions, in
    which two columns fit, and look through everybody's.
    """
    in_time = sa.and_(_s.ends_at > now, _s.handed_at > now - _idle())
    if of is None:
        return sa.and_(_s.revoked_at.is_(None), in_time)
    return sa.and_(_s.user_id == of, db.aside(_s.revoked_at).is_(None), in_time)


def end_of(row: Any) -> datetime:
    """When the session was ended, or ends by itself unless it is used."""
    end: datetime = row.revoked_at or min(row.ends_at, row.handed_at + _idle())
    return end


async def was_never_confirmed(now: datetime) -> bool:
    """Has this very browser been given a session a moment ago of which it never brought a token back?"""
    table, browser = session_rows, client.current()
    first = UUID(int=int((now - A_MOMENT).timestamp() * 1000) << 80)  # an id begins with when it was made: RFC 9562
    same = table.c.ip == browser.ip, table.c.user_agent == browser.user_agent
    mine = sa.select(table.c.id).where(table.c.id >= first, *same, table.c.confirmed == 0, table.c.revoked_at.is_(None))
    return await db.fetch_one(mine.limit(1)) is not None


async def prune(now: datetime) -> int:
    """Delete the sessions that ended, or would have, 30 days ago; how many. Until then a replayed token is known."""
    return await db.prune(session_rows, session_rows.c.ends_at < now - RETENTION)


def presented(*raws: tuple[str | None, tokens.Kind]) -> list[AppToken]:
    """The tokens a browser sent that we signed, whatever their age: what login replaces and logout ends."""
    return [token for raw, kind in raws if (token := tokens.read_whatever_its_age(raw, kind))]


def marker_fits(marker: str, token: AppToken, now: datetime) -> bool:
    """Was this very token told to ask again within the last minute?"""
    return keys.stamped(MARKER, f"{token.sid} {token.gen}", marker, now)


def _idle() -> timedelta:
    return timedelta(seconds=get_settings().refresh_token_seconds)


def _marker(token: AppToken, now: datetime) -> str:
    return keys.stamp(MARKER, f"{token.sid} {token.gen}", now + MARKER_LASTS)


def _jti_fits(token: AppToken, row: Any) -> bool:
    return hmac.compare_digest((token.jti or "").encode(), tokens.refresh_jti(row.secret, token.gen).encode())


def _verdict(row: Any, token: AppToken, asked: bool) -> Decision:
    decision = decide(row, row.is_active, token.gen, asked, row.db_now, _idle())
    # An old copy is reported even when its own time is over; a live session ends for it. `iat` decides nothing: of a
    # clock that was set back `rotation_policy` knows, and clients throw a token away that is refused for good.
    if decision in (Decision.ROTATE, Decision.REPLAY, Decision.RETRY) and row.db_now >= token.exp:
        return Decision.DEAD
    return decision


async def _issue_successor(row: Any, token: AppToken, decision: Decision) -> Rotated | None:
    """The UPDATE that only one of many can win; None when the row is no longer what was judged."""
    now, browser = row.db_now, client.current()
    values = {"last_seen_at": now, "ip": browser.ip, "user_agent": browser.user_agent}
    values |= issued(row, token.gen, decision, now)

    def hand_out(connection: sa.Connection) -> Any:
        fresh = connection.execute(_ISSUE_SUCCESSOR, {"sid": row.id, "judged": row.generation, **values}).first()
        if fresh is None:
            return None
        event = events.SESSION_ROTATED if decision is Decision.ROTATE else events.SESSION_REPLAYED
        about = {"user_id": row.user_id, "actor_id": row.user_id, "session_id": row.id}
        written = events.row(event, **about, detail=f"gen {fresh.generation}")
        connection.execute(events.RECORDED, written)
        return fresh, written

    done = await db.at_once(hand_out)
    if done is None:
        return None
    fresh, written = done
    events.log_event(written)
    quick = (token.quick or 0) + 1 if now - token.iat < QUICK_GAP else 0
    return Rotated(tokens.issue_pair(fresh, role=row.role, now=now, quick=quick), quick, decision)


async def _revoke_reused(row: Any, token: AppToken) -> None:
    """Somebody holds a copy of an old token: end the family, in a transaction of its own that commits here."""
    async with db.transaction() as tx:
        if await revoke(row.id, events.REUSED, tx=tx, now=row.db_now):
            await email_links.void_changes(tx, row.db_now, row.user_id)
            detail = f"gen {token.gen} of {row.generation}"
            await events.record(events.SESSION_REUSED, tx=tx, user_id=row.user_id, session_id=row.id, detail=detail)
            await outbox.enqueue(tx, "session_reused", user_id=row.user_id, **client.current().words())


async def _revoke(tx: Any, which: Any, reason: str, now: datetime, actor_id: UUID | None) -> int:
    table = session_rows
    ended = await tx.fetch_all(
        sa.update(table)
        .where(which, table.c.revoked_at.is_(None))
        .values(revoked_at=now, revoked_for=reason)
        .returning(table.c.id, table.c.user_id)
    )
    for row in ended:
        tx.ends(row.id)
        await session_cache.invalidate(tx, session_id=row.id)
        await events.record(
            events.SESSION_REVOKED, tx=tx, user_id=row.user_id, actor_id=actor_id, session_id=row.id, detail=reason
        )
    return len(ended)
