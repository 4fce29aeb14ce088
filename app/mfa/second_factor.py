"""The second factor at login, and its removal by an admin. For the owner's changes see `enrolment`.

While it is on, every session was started with it: turning it on ends all other sessions and replaces this one, and
`login_flow.lock_unchanged` compares `users.second_factor_at`. Every transaction locks the user's row first.
Chapter: "The life of an account". Source: v5.0.0-6.3.3, v5.0.0-6.4.3, v5.0.0-6.4.4, v5.0.0-6.5.1, v5.0.0-6.5.5,
v5.0.0-6.5.8.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, keys, mfa_ticket
from app.auth.accounts import login_flow, user_admin
from app.auth.accounts.user_admin import Outcome
from app.auth.claims import AppToken
from app.auth.models import user_rows
from app.auth.rate_limit import attempts, counters, known_devices
from app.auth.sessions import revocation
from app.email import outbox
from app.mfa import code_input, recovery_codes, totp
from app.mfa.models import authenticator_rows, recovery_rows
from app.observability import logs
from app.web import client

LABEL = "authenticator"
USED = "ticket used"
_UNUSED = recovery_rows.c.saved_at.is_not(None), recovery_rows.c.used_at.is_(None)

log = logs.get("auth")
T = TypeVar("T")


class TicketExpired(Exception):
    """The ticket of the password step has expired, was used, or the account has changed: log in again."""


async def sign_in(
    ticket: str, code: str, presented: Iterable[AppToken] = (), device: str = "", *, offers: bool = False
) -> login_flow.Login | None:
    """Complete a login: start the session for a ticket and a TOTP or recovery code. None for a wrong code.

    A ticket works for one login; after that, no code sent with it is checked.
    Raises TooManyAttempts; TicketExpired, also if the second factor was turned off meanwhile.
    """
    user_id = mfa_ticket.user_id_of(ticket)
    user = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == user_id)) if user_id else None
    if user is None or user.second_factor_at is None:
        raise TicketExpired
    if not mfa_ticket.is_valid(ticket, user.id, user.password, await db.fetch_value(sa.select(db.now()))):
        raise TicketExpired

    used = counters.key(USED, ticket)

    async def start(tx: Any, at: datetime) -> login_flow.Login:
        await counters.keep(tx, used, at + timedelta(seconds=mfa_ticket.SECONDS))
        await tx.execute(sa.update(user_rows).where(user_rows.c.id == user.id).values(last_login=at))
        await known_devices.login_completed(tx, user.email_key, device, at)
        return await login_flow.complete(tx, user, presented, at, device, offers=offers)

    return await with_code(user, code, start, used=used)


async def remove(user_id: UUID, actor_id: UUID | None) -> Outcome:
    """Turn off the second factor of a user who lost all of it. The admin verifies the identity first (v5.0.0-6.4.4)."""
    async with user_admin.admin_action(user_id, actor_id) as case:
        if case.refused:
            return case.refused
        if case.person.second_factor_at is None:
            return Outcome.NOTHING
        await user_admin.write(case, {"second_factor_at": None})
        await delete_factors(case.tx, user_id)
        await email_links.void_email_change(case.tx, case.now, user_id)
        await record_and_email(case.tx, events.SECOND_FACTOR_REMOVED, "second_factor_off", user_id, actor_id)
    return Outcome.DONE


async def import_authenticator(user_id: UUID, secret: str) -> Outcome:
    """Turn on the second factor with the secret that the owner's app has from another system (see `totp.imported`).

    Every session ends, and there are no recovery codes: the owner makes some at the next sign-in. NOTHING if it is on.
    """
    async with user_admin.admin_action(user_id, None) as case:
        if case.refused:
            return case.refused
        if case.person.second_factor_at is not None:
            return Outcome.NOTHING
        await user_admin.write(case, {"second_factor_at": case.now})
        await delete_factors(case.tx, user_id)
        await add_authenticator(case.tx, user_id, secret, 0, case.now)
        await revocation.revoke_all(user_id, events.CREDENTIALS_CHANGED, tx=case.tx, now=case.now)
        await email_links.void_email_change(case.tx, case.now, user_id)
        bits = totp.bits(secret)
        await events.record(events.SECOND_FACTOR_ON, tx=case.tx, user_id=user_id, detail=f"imported, {bits} bits")
        await outbox.enqueue(case.tx, "second_factor_on", user_id=user_id, **client.current().words())
    return Outcome.DONE


async def add_authenticator(tx: Any, user_id: UUID, secret: str, step: int, at: datetime) -> None:
    """Store the secret, encrypted. `step`: of the last accepted code (see `Authenticator`)."""
    values = {"id": db.uuid7(), "user_id": user_id, "last_step": step, "created_at": at}
    values["secret"] = keys.encrypt(LABEL, secret, of=str(user_id))
    await tx.execute(sa.insert(authenticator_rows).values(values))


async def has_short_secret(user_id: UUID) -> bool:
    """Whether the authenticator's secret was imported with fewer bits than RFC 4226 wants."""
    row = await db.fetch_one(sa.select(authenticator_rows).where(authenticator_rows.c.user_id == user_id))
    secret = keys.decrypt(LABEL, row.secret, of=str(user_id)) if row else None
    return secret is not None and totp.is_short(secret)


async def recovery_codes_left(user_id: UUID) -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).where(recovery_rows.c.user_id == user_id, *_UNUSED)))


async def with_code(
    user: Any, code: str, then: Callable[[Any, datetime], Awaitable[T]], *, actor_id: UUID | None = None, used: str = ""
) -> T | None:
    """Call `then` for a valid code, in the transaction that marks the code as used. None for a wrong one.

    A wrong code counts as a failed attempt; input that has not the form of a code does not.
    `used`: the counter that exists once the ticket was used; then raises TicketExpired. `actor_id`: the signed-in user,
    None at login. Too many wrong codes at login mean that another person may know the password, so the owner gets an
    e-mail (v5.0.0-6.3.5). Raises TooManyAttempts.
    """
    if code_input.normalise(code) is None:
        return None
    async with attempts.code(user.id, db.utcnow()) as attempt, db.transaction() as tx:
        at = await tx.fetch_value(sa.select(db.now()))
        # Count first, then compare: otherwise hundreds of concurrent requests would all be compared before one counts.
        await attempt.count(tx, at)
        if used and await counters.read([used], tx=tx):
            raise TicketExpired
        claimed = await login_flow.lock_unchanged(tx, user, {"last_login": user.last_login})
        if claimed and await _use_code(tx, user.id, code, at):
            await attempt.take_back(tx, at)
            return await then(tx, at)
        await _failed(tx, attempt, at, user.id, actor_id)
    return None


async def _use_code(tx: Any, user_id: UUID, typed: str, at: datetime) -> bool:
    """Mark the code as used: of several concurrent requests with the same code, one succeeds (v5.0.0-6.5.1)."""
    if digits := code_input.digits(typed):
        return await _use_totp(tx, user_id, digits, at)
    table = recovery_rows
    this = table.c.user_id == user_id, table.c.digest == recovery_codes.digest(typed), *_UNUSED
    if not await tx.execute(sa.update(table).where(*this).values(used_at=at)):
        return False
    await record_and_email(tx, events.RECOVERY_CODE_USED, "recovery_code_used", user_id, user_id)
    return True


async def _use_totp(tx: Any, user_id: UUID, digits: str, at: datetime) -> bool:
    table = authenticator_rows
    row = await tx.fetch_one(sa.select(table).where(table.c.user_id == user_id))
    secret = keys.decrypt(LABEL, row.secret, of=str(user_id)) if row else None
    if secret is None:
        log.error("factor_unreadable", user=logs.pseudonym(user_id))
        return False
    step = totp.step(secret, digits, at)
    if step is None:
        return False
    later = sa.update(table).where(table.c.id == row.id, table.c.last_step < step)
    return bool(await tx.execute(later.values(last_step=step)))


async def new_codes(tx: Any, user_id: UUID, at: datetime, *, saved: bool) -> tuple[list[str], UUID]:
    """A new set of recovery codes, and the id of its first row, which identifies the set.

    `saved`: valid at once; otherwise after `save_codes`. An account has at most one unsaved set: the last one shown.
    """
    table = recovery_rows
    await tx.execute(sa.delete(table).where(table.c.user_id == user_id, table.c.saved_at.is_(None)))
    made, about = recovery_codes.new_codes(), {"user_id": user_id, "created_at": at, "saved_at": at if saved else None}
    ids = [db.uuid7() for _ in made]
    rows = [{"id": each, "digest": recovery_codes.digest(code), **about} for each, code in zip(ids, made, strict=True)]
    await tx.execute(sa.insert(table).values(rows))
    return made, ids[0]


async def save_codes(tx: Any, user_id: UUID, first: UUID, at: datetime) -> bool:
    """Make an unsaved set valid in place of the previous one. False if it was replaced, deleted or already saved."""
    table = recovery_rows
    mine, waits = table.c.user_id == user_id, table.c.saved_at.is_(None)
    if await tx.fetch_one(sa.select(table.c.id).where(mine, waits, table.c.id == first)) is None:
        return False
    await tx.execute(sa.delete(table).where(mine, ~waits))
    await tx.execute(sa.update(table).where(mine, waits).values(saved_at=at))
    return True


async def is_saved(user_id: UUID, first: UUID) -> bool:
    table = recovery_rows
    saved = sa.select(table.c.id).where(table.c.user_id == user_id, table.c.id == first, table.c.saved_at.is_not(None))
    return await db.fetch_one(saved) is not None


async def delete_factors(tx: Any, user_id: UUID) -> None:
    """Delete the authenticator and all recovery codes of the account."""
    for table in (authenticator_rows, recovery_rows):
        await tx.execute(sa.delete(table).where(table.c.user_id == user_id))


async def _failed(tx: Any, attempt: attempts.Attempt, at: datetime, user_id: UUID, actor_id: UUID | None) -> None:
    reached = await attempt.failed(tx, at, user_id)
    await events.record(events.SECOND_FACTOR_FAILED, tx=tx, user_id=user_id, actor_id=actor_id)
    if reached and actor_id is None:
        await outbox.enqueue(tx, "second_factor_failed", user_id=user_id, **client.current().words())


async def record_and_email(tx: Any, event: str, kind: str, user_id: UUID, actor_id: UUID | None) -> None:
    """Record the audit event and queue the e-mail of this kind to the owner."""
    await events.record(event, tx=tx, user_id=user_id, actor_id=actor_id)
    await outbox.enqueue(tx, kind, user_id=user_id, **client.current().words())
