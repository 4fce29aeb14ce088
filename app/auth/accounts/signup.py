"""Sign-up: a registration becomes an account when its mailed link is confirmed.

A pending registration cannot sign in. Whether the address is taken is looked up only when the e-mail is composed, so a
free and a taken address run the same statements and get the same answer (v5.0.0-6.3.8). If one address is registered
several times, the first confirmed registration wins and the others become void: registering another person's address
with your own password gains nothing (pre-hijacking).
With APP_REGISTRATION other than `open` nothing here creates an account, links that were mailed before included.
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
from app.auth.accounts import user_creation
from app.auth.errors import RegistrationClosed
from app.auth.models import link_rows, user_rows
from app.auth.rate_limit import attempts, quotas
from app.email import outbox
from app.observability import logs, metrics
from app.settings import get_settings
from app.web import client
from app.web.email_address import email_key

log = logs.get("auth")


class PendingSignup(NamedTuple):
    """A registration that can be confirmed. `needs_password`: the address has another one, so the password is required.

    Otherwise the owner of the mailbox could confirm another person's registration, and with it that person's password.
    """

    row: Any
    needs_password: bool


class Outcome(Enum):
    CONFIRMED = auto()
    GONE = auto()  # used, expired, void or unknown: the answer does not say which
    NOT_YOURS = auto()  # it needs the password, and this is not that of this registration


def check_open() -> None:
    """Raises RegistrationClosed unless visitors may sign up. Called first: the answer is the same for every address."""
    if not get_settings().takes_signups:
        raise RegistrationClosed


async def request(email: str, name: str, password: str, honeypot: str = "") -> None:
    """Store the registration and queue its e-mail. Validate the password first (`passwords.validation_error`).

    `honeypot`: the field that no person sees. If a program filled it in, the same limits apply and the same time is
    spent, and nothing is stored: an answer that differs would tell the program what to leave out.
    Raises RegistrationClosed, TooManyAttempts, Overloaded.
    """
    check_open()
    key, now = email_key(email), db.utcnow()
    async with quotas.email("register", key, now) as welcome:
        encoded = await passwords.hash(password)
        if honeypot:
            metrics.SIGNUPS_DROPPED.inc()
            log.info("signup_dropped", because="honeypot")
        if honeypot or not welcome:
            return
        async with db.transaction() as tx:
            row = await email_links.make(
                tx, email_links.REGISTER, now, email=email, email_key=key, name=name, password=encoded
            )
            await outbox.enqueue(tx, "register", recipient=email, link=str(row.id), **client.current().words())


async def resend(email: str) -> None:
    """Queue the link again. Whether a registration is pending is looked up when the e-mail is composed.

    Raises RegistrationClosed, TooManyAttempts.
    """
    check_open()
    key = email_key(email)
    async with quotas.email("resend", key, db.utcnow()) as welcome:
        if welcome:
            async with db.transaction() as tx:
                await outbox.enqueue(tx, "resend", recipient=email, **client.current().words())


async def find(raw: str, now: datetime) -> PendingSignup | None:
    """The registration of a mailed link, or None. Changes nothing: mail scanners follow links.

    Raises RegistrationClosed for a valid link.
    """
    row = await email_links.find(raw, email_links.REGISTER, now)
    if row:
        check_open()
    return row and PendingSignup(row, await _needs_password(row, now))


async def confirm(raw: str, password: str = "") -> Outcome:
    """Make the account. Signs nobody in. Raises RegistrationClosed, TooManyAttempts, Overloaded."""
    now = db.utcnow()
    waiting = await find(raw, now)
    if waiting is None:
        return Outcome.GONE
    row = waiting.row
    if waiting.needs_password and not await _matches(password, row, now):
        return Outcome.NOT_YOURS
    try:
        async with db.transaction() as tx:
            # First: concurrent confirmations of one address wait for each other here, and nowhere else.
            user_id = await user_creation.add(tx, row.email, row.name, row.password)
            now = await tx.fetch_value(sa.select(db.now()))
            if await email_links.use(tx, raw, email_links.REGISTER, now) is None:
                raise _LinkExpired
            await void(tx, row.email_key, now)
            await events.record(events.REGISTERED, tx=tx, user_id=user_id, actor_id=user_id)
    except (_LinkExpired, sa.exc.IntegrityError):  # a concurrent request used this link or this address
        return Outcome.GONE
    return Outcome.CONFIRMED


async def newest(email: str, now: datetime) -> Any:
    """The newest registration of the address that can still be confirmed, or None."""
    mine = sa.select(link_rows).where(_open(email_key(email), now))
    return await db.fetch_one(mine.order_by(link_rows.c.id.desc()).limit(1))


async def account_of(email: str) -> Any:
    """The account that has this address, or None."""
    return await db.fetch_one(sa.select(user_rows).where(user_rows.c.email_key == email_key(email)))


async def void(tx: Any, email_key: str, now: datetime) -> None:
    """Make all pending registrations of this address void."""
    await email_links.void(tx, now, link_rows.c.purpose == email_links.REGISTER, link_rows.c.email_key == email_key)


class _LinkExpired(Exception):
    pass


async def _needs_password(row: Any, now: datetime) -> bool:
    others = sa.select(link_rows.c.id).where(_open(row.email_key, now), link_rows.c.id != row.id)
    return await db.fetch_one(others.limit(1)) is not None


async def _matches(password: str, row: Any, now: datetime) -> bool:
    if not password:
        return False
    async with attempts.step_up(row.id, now) as attempt:
        return await attempt.settle((await passwords.verify(password, row.password)).ok)


def _open(email_key: str, now: datetime) -> Any:
    table = link_rows
    mine = table.c.purpose == email_links.REGISTER, table.c.email_key == email_key
    return sa.and_(*mine, table.c.used_at.is_(None), table.c.ends_at > now)
