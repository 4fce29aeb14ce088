"""The end of an account: its owner gives it up, may still come back for some days, and then it is gone.

Signing in while the row is there calls it off (`accounts.login`). What stays is the audit trail, which has neither name
nor address, and for a week the last letter, which has the address.
Chapter: "The life of an account". Source: v5.0.0-7.4.2; GDPR articles 17 and 20.
"""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from app import db, logs
from app.audit import events
from app.auth import accounts, badges, links, sessions
from app.auth.errors import SessionEnded
from app.auth.models import user_rows
from app.mail import outbox
from app.settings import get_settings
from app.web import client

log = logs.get("auth")


async def give_up(user_id: UUID) -> datetime | None:
    """End every session and set the day of the deletion. Returns it; None for the last admin, who has to stay."""
    table = user_rows
    async with db.transaction() as tx:
        now = await tx.fetch_value(sa.select(db.now()))
        user = await tx.fetch_one(sa.select(table).where(table.c.id == user_id))
        if user is None:
            raise SessionEnded
        if user.role == "admin" and not await accounts.admins_stay(tx, without=user_id):
            return None
        delete_after: datetime = now + timedelta(days=get_settings().deletion_grace_days)
        given_up = sa.update(table).where(table.c.id == user_id, table.c.is_active.is_(True))
        if await tx.execute(given_up.where(table.c.delete_after.is_(None)).values(delete_after=delete_after)) == 0:
            raise SessionEnded
        await sessions.revoke_all(user_id, events.CLOSED, tx=tx, now=now, actor_id=user_id)
        await links.void_of(tx, now, user_id)
        await badges.announce(tx, user_id=user_id)
        await events.record(events.DELETION_ASKED, tx=tx, user_id=user_id, actor_id=user_id)
        await outbox.put(tx, "deletion_asked", user_id=user_id, **client.current().words())
    return delete_after


async def delete_due(now: datetime) -> int:
    """Delete the accounts whose time is over, with all that belongs to them; how many. For the housekeeping."""
    due = await db.fetch_all(sa.select(user_rows.c.id, user_rows.c.role).where(user_rows.c.delete_after <= now))
    return sum([await _delete(row.id, row.role, now) for row in due])


async def _delete(user_id: UUID, role: str, now: datetime) -> bool:
    table = user_rows
    still = table.c.id == user_id, table.c.role == role, table.c.delete_after <= now
    async with db.transaction() as tx:
        if role == "admin" and not await accounts.admins_stay(tx, without=user_id):
            log.warning("last_admin_not_deleted", user=logs.pseudonym(user_id))
            return False
        person = await tx.fetch_one(sa.delete(table).where(*still).returning(table.c.email))
        if person is None:  # kept meanwhile, or another worker was faster
            return False
        await badges.announce(tx, user_id=user_id)
        await events.record(events.ACCOUNT_DELETED, tx=tx, user_id=user_id)
        await outbox.forget(tx, user_id)
        await outbox.put(tx, "account_deleted", recipient=person.email)
    return True
