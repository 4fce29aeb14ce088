"""The second factor at login, and its removal by an admin. Its owner's changes: see `enrolment`.

While it is on no session comes into being without it: turning it on ends every other session and replaces this one, and
`users.second_factor_at` is part of what `login_flow.lock_unchanged` compares. The user's row is locked first, as
everywhere.
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
from app.auth.models import user_rows
from app.auth.rate_limit import attempts, counters, known_devices
from app.auth.tokens import AppToken
from app.email import outbox
from app.mfa import codes
from app.mfa.models import authenticator_rows, recovery_rows
from app.observability import logs
from app.web import client

LABEL = "authenticator"
USED = "ticket used"
_UNUSED = recovery_rows.c.saved_at.is_not(None), recovery_rows.c.used_at.is_(None)

log = logs.get("auth")
T = TypeVar("T")


class TicketExpired(Exception):
    """The first half of the sign-in is too old, used up or overtaken: begin again."""


async def sign_in(
    ticket: str, code: str, presented: Iterable[AppToken] = (), device: str = ""
) -> login_flow.Login | None:
    """The second half of a sign-in: the session, for a ticket and a code of the authenticator or a recovery code.

    A ticket is good for one sign-in; what else was sent with it is not looked at any more. None for a wrong code.
    Raises TooManyAttempts; TicketExpired, also where the step was turned off meanwhile.
    """
    user_id = mfa_ticket.holder(ticket)
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
        return await login_flow.complete(tx, user, presented, at, device)

    return await for_a_code(user, code, start, used=used)


async def remove(user_id: UUID, actor_id: UUID | None) -> Outcome:
    """What an admin does for somebody who has lost everything, once it is certain who asks (v5.0.0-6.4.4)."""
    async with user_admin.admin_action(user_id, actor_id) as case:
        if case.refused:
            return case.refused
        if case.person.second_factor_at is None:
            return Outcome.NOTHING
        await user_admin.write(case, {"second_factor_at": None})
        await forget(case.tx, user_id)
        await email_links.void_email_change(case.tx, case.now, user_id)
        await tell(case.tx, events.SECOND_FACTOR_REMOVED, "second_factor_off", user_id, actor_id)
    return Outcome.DONE


async def recovery_codes_left(user_id: UUID) -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).where(recovery_rows.c.user_id == user_id, *_UNUSED)))


async def for_a_code(
    user: Any, code: str, then: Callable[[Any, datetime], Awaitable[T]], *, actor_id: UUID | None = None, used: str = ""
) -> T | None:
    """Do it for a good code, in the transaction that uses the code up; None for a wrong one, which stays counted.

    `used`: the counter that is there if the ticket has been good already: TicketExpired. `actor_id`: who is signed in;
    None at the sign-in itself, where whoever fails too often knows the password and should not: the owner gets a letter
    (v5.0.0-6.3.5). What cannot be a code by its form is no guess: it is wrong, and not counted.
    """
    if codes.plain(code) is None:
        return None
    async with attempts.code(user.id, db.utcnow()) as attempt, db.transaction() as tx:
        at = await tx.fetch_value(sa.select(db.now()))
        # Before the code is looked at: of four hundred sent at once all would be, before the first is counted.
        await attempt.count(tx, at)
        if used and await counters.read([used], tx=tx):
            raise TicketExpired
        claimed = await login_flow.lock_unchanged(tx, user, {"last_login": user.last_login})
        if claimed and await _good(tx, user.id, code, at):
            await attempt.take_back(tx, at)
            return await then(tx, at)
        await _failed(tx, attempt, at, user.id, actor_id)
    return None


async def _good(tx: Any, user_id: UUID, typed: str, at: datetime) -> bool:
    """Use the code up: of many who bring the same one at once, one is right (v5.0.0-6.5.1)."""
    if digits := codes.digits(typed):
        return await _code_of_now(tx, user_id, digits, at)
    table = recovery_rows
    this = table.c.user_id == user_id, table.c.digest == codes.digest(typed), *_UNUSED
    if not await tx.execute(sa.update(table).where(*this).values(used_at=at)):
        return False
    await tell(tx, events.RECOVERY_CODE_USED, "recovery_code_used", user_id, user_id)
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


async def new_codes(tx: Any, user_id: UUID, at: datetime, *, saved: bool) -> tuple[list[str], UUID]:
    """A new set, and the id of its first row, which stands for all. `saved`: good at once, else see `save_codes`.

    Of sets that are not saved there is one: the last one that was shown.
    """
    table = recovery_rows
    await tx.execute(sa.delete(table).where(table.c.user_id == user_id, table.c.saved_at.is_(None)))
    made, about = codes.new_recovery_codes(), {"user_id": user_id, "created_at": at, "saved_at": at if saved else None}
    ids = [db.uuid7() for _ in made]
    rows = [{"id": each, "digest": codes.digest(code), **about} for each, code in zip(ids, made, strict=True)]
    await tx.execute(sa.insert(table).values(rows))
    return made, ids[0]


async def save_codes(tx: Any, user_id: UUID, first: UUID, at: datetime) -> bool:
    """The set takes the place of the one before. False if there is no such set any more, or it has done so."""
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


async def forget(tx: Any, user_id: UUID) -> None:
    for table in (authenticator_rows, recovery_rows):
        await tx.execute(sa.delete(table).where(table.c.user_id == user_id))


async def _failed(tx: Any, attempt: attempts.Attempt, at: datetime, user_id: UUID, actor_id: UUID | None) -> None:
    reached = await attempt.failed(tx, at, user_id)
    await events.record(events.SECOND_FACTOR_FAILED, tx=tx, user_id=user_id, actor_id=actor_id)
    if reached and actor_id is None:
        await outbox.enqueue(tx, "second_factor_failed", user_id=user_id, **client.current().words())


async def tell(tx: Any, event: str, kind: str, user_id: UUID, actor_id: UUID | None) -> None:
    await events.record(event, tx=tx, user_id=user_id, actor_id=actor_id)
    await outbox.enqueue(tx, kind, user_id=user_id, **client.current().words())
