"""One-time links sent by e-mail: each is good once, for one purpose, and for a limited time.

The token in a link is `id.mac`: the MAC is over the row's own secret, under a key derived for nothing else. It stands
in no table, so a leaked database opens nothing, and a leaked key alone neither (v5.0.0-11.5.1, v5.0.0-6.5.*).
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
RETENTION = timedelta(days=30)  # after its end

REGISTER = "register"  # make the account: `email`, `email_key`, `name`, `password`
RESET = "reset"  # choose a new password: `user_id`, `fingerprint`
CHANGE_EMAIL = "change_email"  # the new address is theirs: `user_id`, `email`, `email_key`, `fingerprint`
UNDO_EMAIL = "undo_email"  # back to the old address: `user_id`, `email`, `email_key`
INVITE = "invite"  # an admin made the account: `user_id`, `fingerprint`
LASTS = {
    REGISTER: timedelta(hours=24),
    RESET: timedelta(minutes=30),
    CHANGE_EMAIL: timedelta(hours=24),
    UNDO_EMAIL: timedelta(days=7),
    INVITE: timedelta(days=7),
}


async def make(tx: Any, purpose: str, now: datetime, *, link_id: UUID | None = None, **values: Any) -> Any:
    """A new link's row. With a letter's id as `link_id` a letter sent twice carries the same link, good for longer.

    `values`: what the purpose needs, see above.
    """
    row = {"id": link_id or db.uuid7(), "purpose": purpose, "secret": secrets.token_hex(32), **values}
    row |= {"created_at": now, "ends_at": now + LASTS[purpose]}
    if link_id:
        again = sa.update(link_rows).where(link_rows.c.id == link_id, link_rows.c.used_at.is_(None))
        if known := await tx.fetch_one(again.values(ends_at=row["ends_at"]).returning(*link_rows.c)):
            return known
    return await tx.fetch_one(sa.insert(link_rows).values(row).returning(*link_rows.c))


def token(row: Any) -> str:
    """What the address carries as `?token=`: URL-safe, 80 characters, for this row and purpose alone."""
    return f"{row.id}.{keys.seal(LABEL, _message(row))}"


async def find(raw: str, purpose: str, now: datetime) -> Any:
    """The row behind a token that is still good, or None. Changes nothing: mail scanners follow links."""
    row = await db.fetch_one(sa.select(link_rows).where(_open(raw, purpose, now)))
    return row if row is not None and _fits(raw, row) else None


async def use(tx: Any, raw: str, purpose: str, now: datetime) -> Any:
    """As `find`, and the link is used up: of many who bring it at once one gets the row, the others None.

    What a registration was about is in the account from now on, so nothing of it stays here.
    """
    row = await tx.fetch_one(sa.select(link_rows).where(_open(raw, purpose, now)))
    if row is None or not _fits(raw, row):
        return None
    used = sa.update(link_rows).where(link_rows.c.id == row.id, link_rows.c.used_at.is_(None))
    emptied = dict.fromkeys(("email", "email_key", "name", "password"), "") if purpose == REGISTER else {}
    return row if await tx.execute(used.values(used_at=now, done_at=now, **emptied)) == 1 else None


async def has_done_its_work(raw: str, *purposes: str) -> bool:
    """Was this very link used, for one of these? Only whoever holds its token is told; not of one that was voided."""
    table, link_id = link_rows, urls.uuid_or_none(raw.partition(".")[0])
    done = table.c.id == link_id, table.c.purpose.in_(purposes), table.c.done_at.is_not(None)
    row = await db.fetch_one(sa.select(table).where(*done))
    return row is not None and _fits(raw, row)


async def void(tx: Any, now: datetime, *which: Any) -> int:
    """Use up every open link that these conditions on `link_rows` name; how many there were."""
    return int(await tx.execute(sa.update(link_rows).where(*which, link_rows.c.used_at.is_(None)).values(used_at=now)))


async def void_of(tx: Any, now: datetime, user_id: UUID) -> None:
    """All that waits for this account may be a thief's by now; the way back to an old address stays open."""
    await void(tx, now, link_rows.c.user_id == user_id, link_rows.c.purpose != UNDO_EMAIL)


async def void_changes(tx: Any, now: datetime, user_id: UUID) -> int:
    """The owner, or an admin for them, puts others out: a new address that those may have asked for waits no longer.

    How many there were.
    """
    return await void(tx, now, link_rows.c.user_id == user_id, link_rows.c.purpose == CHANGE_EMAIL)


async def prune(now: datetime) -> int:
    """Delete the links that ended, or would have, 30 days ago; how many. Registrations as soon as they are over.

    What those hold is about people who never became ours (v5.0.0-14.2.7).
    """
    table = link_rows
    voided = sa.and_(table.c.used_at.is_not(None), table.c.done_at.is_(None))
    registration = sa.and_(table.c.purpose == REGISTER, sa.or_(table.c.ends_at <= now, voided))
    return await db.prune(table, sa.or_(table.c.ends_at < now - RETENTION, registration))


def _open(raw: str, purpose: str, now: datetime) -> Any:
    table, link_id = link_rows, urls.uuid_or_none(raw.partition(".")[0])
    return sa.and_(table.c.id == link_id, table.c.purpose == purpose, table.c.used_at.is_(None), table.c.ends_at > now)


def _fits(raw: str, row: Any) -> bool:
    return keys.sealed(LABEL, _message(row), raw.partition(".")[2])


def _message(row: Any) -> str:
    return f"{row.purpose} {row.id} {row.secret}"
