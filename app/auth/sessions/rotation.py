"""Sessions and refresh token rotation: starts and rotates sessions. `revocation` ends them.

A session is one login on one device; all refresh tokens that descend from that login belong to it. Rotation is one
conditional UPDATE, and reuse detection is one comparison (`rotation_policy`). Every function that changes a row writes
an audit event in the same transaction.
Chapter: "Rotation and reuse". Source: RFC 9700 section 4.14.2; OWASP Session Management. Patterns: token-pair,
refresh-endpoint, refresh-type-check.
"""

import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import claims, email_links, keys, tokens
from app.auth.claims import AppToken
from app.auth.errors import Overloaded
from app.auth.models import session_rows, user_rows
from app.auth.sessions import device_binding, revocation
from app.auth.sessions.lifetime import idle
from app.auth.sessions.rotation_policy import Decision, decide, issued
from app.auth.tokens import TokenPair
from app.email import outbox
from app.settings import get_settings
from app.web import client

TRIES = 3  # attempts before `rotate` raises Busy: another request changed the row each time
QUICK_GAP = timedelta(seconds=5)  # a shorter time between two refreshes counts as quick
UNCONFIRMED_WINDOW = timedelta(minutes=1)  # how far back `was_never_confirmed` looks
MARKER, MARKER_LIFETIME = "ask again", timedelta(seconds=60)
# Decisions that issue no token and revoke no session, but are recorded in the audit log.
AUDITED = {Decision.INVALID: events.REFRESH_FROM_THE_FUTURE, Decision.RETRY: events.SESSION_RETRY_REQUESTED}

# The statements of a refresh, built once at import.
_s, _u = session_rows.c, user_rows.c
_STARTED = sa.insert(session_rows)
_SESSION_AND_USER = (
    sa.select(
        _s.id, _s.user_id, _s.secret, _s.generation, _s.confirmed, _s.handed_at, _s.authenticated_at, _s.ends_at,
        _s.revoked_at, _s.device_key, _u.is_active, _u.role, db.now().label("db_now"),
    )
    .select_from(session_rows.join(user_rows, _s.user_id == _u.id))
    .where(_s.id == sa.bindparam("sid"))
)  # fmt: skip
_ISSUE_SUCCESSOR = (
    sa.update(session_rows)
    .where(_s.id == sa.bindparam("sid"), _s.generation == sa.bindparam("expected"), _s.revoked_at.is_(None))
    .returning(_s.id, _s.user_id, _s.secret, _s.generation, _s.authenticated_at, _s.ends_at, _s.device_key)
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """The new token pair. `quick`: how many refreshes in a row came within QUICK_GAP of the previous one.

    `challenge`: what the device of a bound session signs for the next refresh; "" for an unbound session.
    """

    pair: TokenPair
    quick: int
    decision: Decision
    challenge: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """No token pair. `marker` is set for RETRY: a request that sends it within 60 seconds counts as the retry.

    `challenge` is set for UNPROVEN: what the device has to sign. `token`: the token that it refused then.
    """

    decision: Decision
    marker: str = ""
    challenge: str = ""
    token: AppToken | None = None


class Busy(Overloaded):
    """Other requests changed the row during three attempts in a row. Answered with 503."""


async def start(tx: Any, user: Any, *, now: datetime, ends_at: datetime | None = None) -> TokenPair:
    """Start a session in the caller's transaction, always under a new id against session fixation (v5.0.0-7.2.4).

    `user` needs id and role. `ends_at`: the absolute expiry, for a session that replaces another one.
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
        "device_key": "",
    }
    await tx.execute(_STARTED, values)
    pair = tokens.issue_pair(SimpleNamespace(**values), role=user.role, now=now)
    return replace(pair, registration=device_binding.registration_challenge(values["id"], now))


async def rotate(raw: str | None, *, marker: str = "", retried: bool = False, proof: str = "") -> Rotated | Rejected:
    """Exchange a refresh token for the next pair.

    One conditional UPDATE decides between concurrent requests; if a response got lost, the same pair is issued again.
    After a reuse, the revocation is committed before this returns. All times come from the database, so workers
    with different clocks decide alike. `marker` (pages) and `retried` (API) mark the retry that an earlier RETRY
    requested. `proof`: signed by the device of a bound session (see `device_binding`). Raises Busy; never raises for
    bad input.
    """
    token = tokens.read_ignoring_expiry(raw, "refresh")
    if token is None:
        return Rejected(Decision.INVALID)
    for _ in range(TRIES):
        row = await db.fetch_one(_SESSION_AND_USER, {"sid": token.sid})
        if row is None:
            return Rejected(Decision.ENDED)
        if str(row.user_id) != token.sub or not _jti_matches(token, row):
            return Rejected(Decision.INVALID)
        retry = retried or marker_matches(marker, token, row.db_now)
        decision = _decision(row, token, retry, device_binding.proves(row, token.gen, proof, row.db_now))
        if decision is Decision.UNPROVEN:
            challenge = device_binding.challenge(token.sid, token.gen, row.db_now)
            return Rejected(decision, challenge=challenge, token=token)
        if decision in (Decision.ROTATE, Decision.REPLAY):
            rotated = await _issue_successor(row, token, decision)
            if rotated is None:
                continue  # a concurrent request changed the row: read it again and decide again
            return rotated
        if decision is Decision.REUSE:
            await _revoke_reused(row, token)
        elif decision in AUDITED:
            detail = f"gen {token.gen} of {row.generation}"
            await events.record(AUDITED[decision], user_id=row.user_id, session_id=row.id, detail=detail)
        return Rejected(decision, _marker(token, row.db_now) if decision is Decision.RETRY else "")
    raise Busy(1)


async def was_never_confirmed(now: datetime) -> bool:
    """Did this browser (IP address and user agent) get a session within a minute and never send one of its tokens?"""
    table, browser = session_rows, client.current()
    # The first 48 bits of a UUIDv7 are its creation time in milliseconds (RFC 9562 section 5.7).
    first = UUID(int=int((now - UNCONFIRMED_WINDOW).timestamp() * 1000) << 80)
    same = table.c.ip == browser.ip, table.c.user_agent == browser.user_agent
    mine = sa.select(table.c.id).where(table.c.id >= first, *same, table.c.confirmed == 0, table.c.revoked_at.is_(None))
    return await db.fetch_one(mine.limit(1)) is not None


def presented(*raws: tuple[str | None, claims.Kind]) -> list[AppToken]:
    """The sent tokens whose signature and claims are valid, expired or not: login and logout end their sessions."""
    return [token for raw, kind in raws if (token := tokens.read_ignoring_expiry(raw, kind))]


def marker_matches(marker: str, token: AppToken, now: datetime) -> bool:
    """Whether `marker` proves that this token got the decision RETRY within the last minute."""
    return keys.verify_expiring_mac(MARKER, f"{token.sid} {token.gen}", marker, now)


def _marker(token: AppToken, now: datetime) -> str:
    return keys.expiring_mac(MARKER, f"{token.sid} {token.gen}", now + MARKER_LIFETIME)


def _jti_matches(token: AppToken, row: Any) -> bool:
    return hmac.compare_digest((token.jti or "").encode(), tokens.refresh_jti(row.secret, token.gen).encode())


def _decision(row: Any, token: AppToken, retry: bool, proven: bool) -> Decision:
    decision = decide(row, row.is_active, token.gen, retry, row.db_now, idle(), proven=proven)
    # Reuse is reported even for an expired token: it revokes a live session. `iat` decides nothing: `rotation_policy`
    # handles a clock that was set back, and clients discard a token that is refused for good.
    if decision in (Decision.ROTATE, Decision.REPLAY, Decision.RETRY) and row.db_now >= token.exp:
        return Decision.ENDED
    return decision


async def _issue_successor(row: Any, token: AppToken, decision: Decision) -> Rotated | None:
    """The conditional UPDATE that one of several concurrent requests wins; None if another one changed the row."""
    now, browser = row.db_now, client.current()
    values = {"last_seen_at": now, "ip": browser.ip, "user_agent": browser.user_agent}
    values |= issued(row, token.gen, decision, now)

    event = events.SESSION_ROTATED if decision is Decision.ROTATE else events.SESSION_REPLAYED
    about = {"user_id": row.user_id, "actor_id": row.user_id, "session_id": row.id}
    written = events.row(event, **about, detail=f"gen {values.get('generation', row.generation)}")
    fresh = await _update_and_record({"sid": row.id, "expected": row.generation}, values, written)
    if fresh is None:
        return None
    events.log_event(written)
    quick = (token.quick or 0) + 1 if now - token.iat < QUICK_GAP else 0
    challenge = device_binding.challenge(fresh.id, fresh.generation, now) if fresh.device_key else ""
    return Rotated(tokens.issue_pair(fresh, role=row.role, now=now, quick=quick), quick, decision, challenge)


async def _update_and_record(whose: dict[str, Any], values: dict[str, Any], event: dict[str, Any]) -> Any:
    """Run the UPDATE with the event, both or neither: on PostgreSQL as one statement, a round trip instead of four.

    Returns the changed columns; None if no row matched.
    """
    if db.database.target.kind == "postgresql":
        named = {f"new_{name}": value for name, value in values.items()}
        named |= {f"event_{name}": value for name, value in event.items()}
        statement = _issue_and_record(tuple(values))
        return await db.run_statement(lambda connection: connection.execute(statement, whose | named).first())

    def update_and_record(connection: sa.Connection) -> Any:
        fresh = connection.execute(_ISSUE_SUCCESSOR, whose | values).first()
        if fresh is not None:
            connection.execute(events.RECORDED, event)
        return fresh

    return await db.run_in_transaction(update_and_record)


@cache
def _issue_and_record(columns: tuple[str, ...]) -> Any:
    """`_ISSUE_SUCCESSOR` for these columns, and an event if it changed a row. PostgreSQL alone has such statements."""
    changed = _ISSUE_SUCCESSOR.values({name: sa.bindparam(f"new_{name}") for name in columns}).cte("changed")
    event = [sa.bindparam(f"event_{column.name}", type_=column.type) for column in event_rows.c]
    source = sa.select(*event).select_from(changed)
    return sa.select(changed).add_cte(sa.insert(event_rows).from_select(list(event_rows.c), source).cte("recorded"))


async def _revoke_reused(row: Any, token: AppToken) -> None:
    """Revoke the session after refresh token reuse, in its own transaction, which commits before this returns."""
    async with db.transaction() as tx:
        if await revocation.revoke(row.id, events.REUSED, tx=tx, now=row.db_now):
            await email_links.void_email_change(tx, row.db_now, row.user_id)
            detail = f"gen {token.gen} of {row.generation}"
            await events.record(events.SESSION_REUSED, tx=tx, user_id=row.user_id, session_id=row.id, detail=detail)
            await outbox.enqueue(tx, "session_reused", user_id=row.user_id, **client.current().words())
