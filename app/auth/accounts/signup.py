"""Sign-up: a registration waits for its mailed link to be opened, and becomes an account by it.

A registration is no account: nothing that signs in looks at it, and nobody is asked whether the address is taken before
the letter is written. So a free and a taken address run the same statements and get the same answer (v5.0.0-6.3.8).
Of several registrations of one address the first one confirmed wins, and the others are void: somebody who registered
another person's address, with a password of their own, is left with nothing (pre-hijacking).
Chapter: "Transactional e-mail". Source: OWASP Authentication, "Authentication and Error Messages"; Sudhodanan and
Paverd, "Pre-hijacked accounts" (USENIX Security 2022).
"""

from datetime import datetime
from enum import Enum, auto
from typing import Any, NamedTuple

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, passwords
from app.auth.accounts import login_flow
from app.auth.models import link_rows, user_rows
from app.auth.rate_limit import attempts, quotas
from app.email import outbox
from app.web import client
from app.web.email_address import email_key


class PendingSignup(NamedTuple):
    """A registration that can be confirmed. `contested`: the address has another one, so its password is asked for.

    Otherwise the owner of the mailbox could confirm the registration of a stranger, and with it a stranger's password.
    """

    row: Any
    contested: bool


class Outcome(Enum):
    CONFIRMED = auto()
    GONE = auto()  # used, over, void, or never ours: nobody is told which
    NOT_YOURS = auto()  # contested, and the password is not the one of this registration


async def request(email: str, name: str, password: str) -> None:
    """Note the registration and owe the address a letter. The password is hashed as it is: judge it before.

    Raises TooManyAttempts, Overloaded.
    """
    key, now = email_key(email), db.utcnow()
    async with quotas.email("register", key, now) as welcome:
        encoded = await passwords.hash(password)
        if not welcome:
            return
        async with db.transaction() as tx:
            row = await email_links.make(
                tx, email_links.REGISTER, now, email=email, email_key=key, name=name, password=encoded
            )
            await outbox.enqueue(tx, "register", recipient=email, link=str(row.id), **client.current().words())


async def resend(email: str) -> None:
    """Owe the address its link once more, if a registration waits there; that is seen when the letter is written.

    Raises TooManyAttempts.
    """
    key = email_key(email)
    async with quotas.email("resend", key, db.utcnow()) as welcome:
        if welcome:
            async with db.transaction() as tx:
                await outbox.enqueue(tx, "resend", recipient=email, **client.current().words())


async def find(raw: str, now: datetime) -> PendingSignup | None:
    """The registration that a mailed link leads to. Changes nothing: mail scanners follow links."""
    row = await email_links.find(raw, email_links.REGISTER, now)
    return row and PendingSignup(row, await _contested(row, now))


async def confirm(raw: str, password: str = "") -> Outcome:
    """Make the account. Signs nobody in. Raises TooManyAttempts, Overloaded."""
    now = db.utcnow()
    waiting = await find(raw, now)
    if waiting is None:
        return Outcome.GONE
    row = waiting.row
    if waiting.contested and not await _fits(password, row, now):
        return Outcome.NOT_YOURS
    try:
        async with db.transaction() as tx:
            # First of all: two registrations of one address wait for each other here, and nowhere else.
            user_id = await login_flow.add(tx, row.email, row.name, row.password)
            now = await tx.fetch_value(sa.select(db.now()))
            if await email_links.use(tx, raw, email_links.REGISTER, now) is None:
                raise _LinkExpired
            await void(tx, row.email_key, now)
            await events.record(events.REGISTERED, tx=tx, user_id=user_id, actor_id=user_id)
    except (_LinkExpired, sa.exc.IntegrityError):  # somebody was faster, with this link or with this address
        return Outcome.GONE
    return Outcome.CONFIRMED


async def newest(email: str, now: datetime) -> Any:
    """The row of the last registration of the address that can still be confirmed, or None."""
    mine = sa.select(link_rows).where(_open(email_key(email), now))
    return await db.fetch_one(mine.order_by(link_rows.c.id.desc()).limit(1))


async def holder(email: str) -> Any:
    """The account that has the address already, or None."""
    return await db.fetch_one(sa.select(user_rows).where(user_rows.c.email_key == email_key(email)))


async def void(tx: Any, email_key: str, now: datetime) -> None:
    """Nothing that waits for this address can be confirmed any more."""
    await email_links.void(tx, now, link_rows.c.purpose == email_links.REGISTER, link_rows.c.email_key == email_key)


class _LinkExpired(Exception):
    pass


async def _contested(row: Any, now: datetime) -> bool:
    others = sa.select(link_rows.c.id).where(_open(row.email_key, now), link_rows.c.id != row.id)
    return await db.fetch_one(others.limit(1)) is not None


async def _fits(password: str, row: Any, now: datetime) -> bool:
    if not password:
        return False
    async with attempts.step_up(row.id, now) as attempt:
        return await attempt.settle((await passwords.verify(password, row.password)).ok)


def _open(email_key: str, now: datetime) -> Any:
    table = link_rows
    mine = table.c.purpose == email_links.REGISTER, table.c.email_key == email_key
    return sa.and_(*mine, table.c.used_at.is_(None), table.c.ends_at > now)
