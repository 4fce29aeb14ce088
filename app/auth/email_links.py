"""One-time links sent by e-mail: each works once, for one purpose, and for a limited time.

The token in a link is `id.mac`. The MAC covers the row's own secret, under a key derived for this purpose alone. No
table stores the token, so neither a leaked database nor a leaked key alone is enough to make one (v5.0.0-11.5.1,
v5.0.0-6.5.*).
Chapter: "Transactional e-mail". Source: OWASP Forgot Password, "URL Tokens"; NIST SP 800-63B-4 section 3.1.3.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth import keys
from app.auth.models import link_rows
from app.web import urls

LABEL = "mail link"
RETENTION = timedelta(days=30)  # after a link's expiry

# The purposes, with the columns that each needs.
REGISTER = "register"  # create the account: `email`, `email_key`, `name`, `password`
RESET = "reset"  # choose a new password: `user_id`, `fingerprint`
CHANGE_EMAIL = "change_email"  # confirm the new address: `user_id`, `email`, `email_key`, `fingerprint`
UNDO_EMAIL = "undo_email"  # restore the old address: `user_id`, `email`, `email_key`
INVITE = "invite"  # choose the first password of an account that an admin created: `user_id`, `fingerprint`
LIFETIMES = {
    REGISTER: timedelta(hours=24),
    RESET: timedelta(minutes=30),
    CHANGE_EMAIL: timedelta(hours=24),
    UNDO_EMAIL: timedelta(days=7),
    INVITE: timedelta(days=7),
}


async def make(tx: Any, purpose: str, now: datetime, *, link_id: UUID | None = None, **values: Any) -> Any:
    """The row of a new link. `values`: the columns that the purpose needs, see above.

    `link_id`: the id of the e-mail that contains the link. If that e-mail is composed again, it gets the same link with
    a later expiry.
    """
    row = {"id": link_id or db.uuid7(), "purpose": purpose, "secret": secrets.token_hex(32), **values}
    row |= {"created_at": now, "ends_at": now + LIFETIMES[purpose]}
    if link_id:
        again = sa.update(link_rows).where(link_rows.c.id == link_id, link_rows.c.used_at.is_(None))
        if known := await tx.fetch_one(again.values(ends_at=row["ends_at"]).returning(*link_rows.c)):
            return known
    return await tx.fetch_one(sa.insert(link_rows).values(row).returning(*link_rows.c))


def token(row: Any) -> str:
    """The token for `?token=` in the link's URL: URL-safe, 80 characters, valid for this row and purpose alone."""
    return f"{row.id}.{keys.mac(LABEL, _message(row))}"


async def find(raw: str, purpose: str, now: datetime) -> Any:
    """The row of a valid token, or None. Changes nothing, because mail scanners open links with GET."""
    row = await db.fetch_one(sa.select(link_rows).where(_open(raw, purpose, now)))
    return row if row is not None and _matches(raw, row) else None


async def use(tx: Any, raw: str, purpose: str, now: datetime) -> Any:
    """As `find`, and marks the link as used: of several concurrent requests, one gets the row and the others None.

    The data of a registration is deleted from the row, because the account has it from now on.
    """
    row = await tx.fetch_one(sa.select(link_rows).where(_open(raw, purpose, now)))
    if row is None or not _matches(raw, row):
        return None
    used = sa.update(link_rows).where(link_rows.c.id == row.id, link_rows.c.used_at.is_(None))
    emptied = dict.fromkeys(("email", "email_key", "name", "password"), "") if purpose == REGISTER else {}
    return row if await tx.execute(used.values(used_at=now, done_at=now, **emptied)) == 1 else None


async def was_used(raw: str, *purposes: str) -> bool:
    """Whether the link of this token was used, for one of these purposes. False for a voided link or a wrong token."""
    table, link_id = link_rows, urls.uuid_or_none(raw.partition(".")[0])
    done = table.c.id == link_id, table.c.purpose.in_(purposes), table.c.done_at.is_not(None)
    row = await db.fetch_one(sa.select(table).where(*done))
    return row is not None and _matches(raw, row)


async def void(tx: Any, now: datetime, *which: Any) -> int:
    """Void every open link that matches these conditions on `link_rows`. Returns how many."""
    return int(await tx.execute(sa.update(link_rows).where(*which, link_rows.c.used_at.is_(None)).values(used_at=now)))


async def void_all_but_undo(tx: Any, now: datetime, user_id: UUID) -> None:
    """Void all open links of the account except UNDO_EMAIL: an attacker with access to the account may have requested
    them.
    """
    await void(tx, now, link_rows.c.user_id == user_id, link_rows.c.purpose != UNDO_EMAIL)


async def void_email_change(tx: Any, now: datetime, user_id: UUID) -> int:
    """Void the pending e-mail changes of the account, for actions that lock out an attacker. Returns how many."""
    return await void(tx, now, link_rows.c.user_id == user_id, link_rows.c.purpose == CHANGE_EMAIL)


async def prune(now: datetime) -> int:
    """Delete the links that expired over 30 days ago; returns how many. Registrations go once expired or voided.

    Those contain data of people who never got an account (v5.0.0-14.2.7).
    """
    table = link_rows
    voided = sa.and_(table.c.used_at.is_not(None), table.c.done_at.is_(None))
    registration = sa.and_(table.c.purpose == REGISTER, sa.or_(table.c.ends_at <= now, voided))
    return await db.prune(table, sa.or_(table.c.ends_at < now - RETENTION, registration))


def _open(raw: str, purpose: str, now: datetime) -> Any:
    table, link_id = link_rows, urls.uuid_or_none(raw.partition(".")[0])
    return sa.and_(table.c.id == link_id, table.c.purpose == purpose, table.c.used_at.is_(None), table.c.ends_at > now)


def _matches(raw: str, row: Any) -> bool:
    return keys.verify_mac(LABEL, _message(row), raw.partition(".")[2])


def _message(row: Any) -> str:
    return f"{row.purpose} {row.id} {row.secret}"
