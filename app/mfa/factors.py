"""The second factor of an account: turned on, used to sign in, turned off. Each is one transaction, with its letter.

While it is on no session comes into being without it: turning it on ends every other session and replaces this one, and
`users.second_factor_at` is part of what `accounts.claim` compares. The user's row is locked first, as everywhere.
Chapter: "The life of an account". Source: v5.0.0-6.3.3, v5.0.0-6.4.3, v5.0.0-6.4.4, v5.0.0-6.5.1, v5.0.0-6.5.5,
v5.0.0-6.5.6, v5.0.0-6.5.8.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa

from app import db, logs
from app.audit import events
from app.auth import accounts, administration, badges, keys, sessions, throttle, tickets
from app.auth.administration import Outcome
from app.auth.errors import SessionEnded
from app.auth.models import session_rows, user_rows
from app.auth.tokens import AppToken, TokenPair
from app.mail import outbox
from app.mfa import codes
from app.mfa.models import authenticator_rows, recovery_rows
from app.web import client

LABEL = "authenticator"
OFFERED = "authenticator offered"

log = logs.get("auth")
T = TypeVar("T")


class On(NamedTuple):
    """It is on: the new session's tokens, and the recovery codes, which nobody can show again."""

    pair: TokenPair
    recovery_codes: list[str]


class TicketGone(Exception):
    """The first half of the sign-in is too old, used up or overtaken: begin again."""


async def offer(sid: UUID) -> str:
    """The secret that this session would turn it on with: the same each time the page is loaded, known to no other.

    Made of the session's own random bits under a key of ours, so it is kept nowhere before somebody wants it, and
    nobody brings one of their own. Whoever turns it on goes on in another session: no secret is offered twice.
    Raises SessionEnded.
    """
    bits = await db.fetch_value(sa.select(session_rows.c.secret).where(session_rows.c.id == sid))
    if bits is None:
        raise SessionEnded
    return codes.secret_of(keys.seal(OFFERED, bits))


async def turn_on(user_id: UUID, sid: UUID, code: str) -> On | None:
    """From now on a password alone signs nobody in. The first code proves that an authenticator has the `offer`.

    None for a wrong code. Raises TooManyAttempts; SessionEnded where this session ended, or it was on already.
    """
    user = await _user(user_id)
    if user.second_factor_at is not None:
        raise SessionEnded
    secret = await offer(sid)
    async with throttle.code(user_id, db.utcnow()) as attempt:
        step = codes.step(secret, codes.digits(code) or "", await db.fetch_value(sa.select(db.now())))
        if step is None:
            await _failed(attempt, user_id, user_id)
            return None
        async with db.transaction() as tx:
            at = await tx.fetch_value(sa.select(db.now()))
            if not await accounts.claim(tx, user, {"second_factor_at": at}, attempt.open(at)):
                raise SessionEnded
            await _forget(tx, user_id)
            kept = {"id": db.uuid7(), "user_id": user_id, "last_step": step, "created_at": at}
            kept["secret"] = keys.encrypt(LABEL, secret, of=str(user_id))
            await tx.execute(sa.insert(authenticator_rows).values(kept))
            made = await _new_codes(tx, user_id, at)
            reason = events.CREDENTIALS_CHANGED
            await sessions.revoke_all(user_id, reason, tx=tx, now=at, actor_id=user_id, but=sid)
            pair = await accounts.replace_session(tx, user, sid, at)
            if pair is None:
                raise SessionEnded
            await _tell(tx, events.SECOND_FACTOR_ON, "second_factor_on", user_id, user_id)
            return On(pair, made)


async def turn_off(user_id: UUID, code: str) -> bool:
    """A password alone is enough again; the authenticator and every recovery code are forgotten.

    False for a wrong code. Raises TooManyAttempts.
    """

    async def off(tx: Any, _: datetime) -> bool:
        await tx.execute(sa.update(user_rows).where(user_rows.c.id == user_id).values(second_factor_at=None))
        await _forget(tx, user_id)
        await badges.announce(tx, user_id=user_id)
        await _tell(tx, events.SECOND_FACTOR_OFF, "second_factor_off", user_id, user_id)
        return True

    return bool(await _for_a_code(await _user(user_id), code, off, actor_id=user_id))


async def new_recovery_codes(user_id: UUID, code: str) -> list[str] | None:
    """Ten new ones; the old ones are good for nothing any more. None for a wrong code. Raises TooManyAttempts."""

    async def made(tx: Any, at: datetime) -> list[str]:
        await _tell(tx, events.RECOVERY_CODES_MADE, "recovery_codes_made", user_id, user_id)
        return await _new_codes(tx, user_id, at)

    return await _for_a_code(await _user(user_id), code, made, actor_id=user_id)


async def sign_in(ticket: str, code: str, presented: Iterable[AppToken] = ()) -> accounts.Login | None:
    """The second half of a sign-in: the session, for a ticket and a code of the authenticator or a recovery code.

    None for a wrong code. Raises TooManyAttempts; TicketGone, also where the step was turned off meanwhile.
    """
    user_id = tickets.holder(ticket)
    user = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == user_id)) if user_id else None
    if user is None or user.second_factor_at is None:
        raise TicketGone
    if not tickets.good(ticket, user.id, user.password, await db.fetch_value(sa.select(db.now()))):
        raise TicketGone

    async def start(tx: Any, at: datetime) -> accounts.Login:
        await tx.execute(sa.update(user_rows).where(user_rows.c.id == user.id).values(last_login=at))
        return await accounts.start(tx, user, presented, at)

    return await _for_a_code(user, code, start)


async def remove(user_id: UUID, actor_id: UUID | None) -> Outcome:
    """What an admin does for somebody who has lost everything, once it is certain who asks (v5.0.0-6.4.4)."""
    async with administration.case_of(user_id, actor_id) as case:
        if case.refused:
            return case.refused
        if case.person.second_factor_at is None:
            return Outcome.NOTHING
        await administration.write(case, {"second_factor_at": None})
        await _forget(case.tx, user_id)
        await _tell(case.tx, events.SECOND_FACTOR_REMOVED, "second_factor_off", user_id, actor_id)
    return Outcome.DONE


async def recovery_codes_left(user_id: UUID) -> int:
    table = recovery_rows
    left = sa.select(sa.func.count()).where(table.c.user_id == user_id, table.c.used_at.is_(None))
    return int(await db.fetch_value(left))


async def _for_a_code(
    user: Any, code: str, then: Callable[[Any, datetime], Awaitable[T]], *, actor_id: UUID | None = None
) -> T | None:
    """Do it for a good code, in the transaction that uses the code up; None for a wrong one, which is counted.

    `actor_id`: who is signed in; None at the sign-in itself, where whoever fails too often knows the password and
    should not: the owner gets a letter (v5.0.0-6.3.5).
    """
    async with throttle.code(user.id, db.utcnow()) as attempt:
        async with db.transaction() as tx:
            at = await tx.fetch_value(sa.select(db.now()))
            claimed = await accounts.claim(tx, user, {"last_login": user.last_login}, attempt.open(at))
            if claimed and await _good(tx, user.id, code, at):
                return await then(tx, at)
        await _failed(attempt, user.id, actor_id)
    return None


async def _good(tx: Any, user_id: UUID, typed: str, at: datetime) -> bool:
    """Use the code up: of many who bring the same one at once, one is right (v5.0.0-6.5.1)."""
    if digits := codes.digits(typed):
        return await _code_of_now(tx, user_id, digits, at)
    table = recovery_rows
    this = table.c.user_id == user_id, table.c.digest == codes.digest(typed), table.c.used_at.is_(None)
    if not await tx.execute(sa.update(table).where(*this).values(used_at=at)):
        return False
    await _tell(tx, events.RECOVERY_CODE_USED, "recovery_code_used", user_id, user_id)
    return True


async def _code_of_now(tx: Any, user_id: UUID, digits: str, at: datetime) -> bool:
    table = authenticator_rows
    row = await tx.fetch_one(sa.select(table).where(table.c.user_id == user_id))
    secret = keys.decrypt(LABEL, row.secret, of=str(user_id)) if row else None
    if secret is None:
        log.error("factor_unreadable", user=logs.pseudonym(user_id))
        return False
    step = codes.step(secret, digits, at)
    if step is None:
        return False
    later = sa.update(table).where(table.c.id == row.id, table.c.last_step < step)
    return bool(await tx.execute(later.values(last_step=step)))


async def _new_codes(tx: Any, user_id: UUID, at: datetime) -> list[str]:
    await tx.execute(sa.delete(recovery_rows).where(recovery_rows.c.user_id == user_id))
    made = codes.new_recovery_codes()
    rows = [{"id": db.uuid7(), "user_id": user_id, "digest": codes.digest(code), "created_at": at} for code in made]
    await tx.execute(sa.insert(recovery_rows).values(rows))
    return made


async def _forget(tx: Any, user_id: UUID) -> None:
    for table in (authenticator_rows, recovery_rows):
        await tx.execute(sa.delete(table).where(table.c.user_id == user_id))


async def _failed(attempt: throttle.Attempt, user_id: UUID, actor_id: UUID | None) -> None:
    reached = await attempt.failed(db.utcnow(), user_id)
    async with db.transaction() as tx:
        await events.record(events.SECOND_FACTOR_FAILED, tx=tx, user_id=user_id, actor_id=actor_id)
        if reached and actor_id is None:
            await outbox.put(tx, "second_factor_failed", user_id=user_id, **client.current().words())


async def _tell(tx: Any, event: str, kind: str, user_id: UUID, actor_id: UUID | None) -> None:
    await events.record(event, tx=tx, user_id=user_id, actor_id=actor_id)
    await outbox.put(tx, kind, user_id=user_id, **client.current().words())


async def _user(user_id: UUID) -> Any:
    user = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == user_id))
    if user is None:
        raise SessionEnded
    return user
