"""Account deletion: scheduled by its owner, cancelled by signing in again, carried out after some days.

Signing in before that day cancels the deletion (`login_flow.complete`). Afterwards only the audit log remains, which
has neither name nor address, and for a week the last e-mail, which has the address.
Chapter: "The life of an account". Source: v5.0.0-7.4.2; GDPR articles 17 and 20.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links
from app.auth.errors import SessionEnded
from app.auth.models import user_rows
from app.auth.sessions import revocation, session_cache
from app.email import outbox
from app.observability import logs
from app.settings import get_settings
from app.web import client

log = logs.get("auth")


async def schedule(user_id: UUID) -> datetime | None:
    """End every session and set the day of deletion. Returns that day; None for the last admin, who cannot leave.

    Raises SessionEnded if the account is gone, inactive or already scheduled.
    """
    table = user_rows
    async with db.transaction() as tx:
        now = await tx.fetch_value(sa.select(db.now()))
        user = await tx.fetch_one(sa.select(table).where(table.c.id == user_id))
        if user is None:
            raise SessionEnded
        if user.role == "admin" and not await _others_stay(tx, user_id):
            return None
        delete_after: datetime = now + timedelta(days=get_settings().deletion_grace_days)
        scheduled = sa.update(table).where(table.c.id == user_id, table.c.is_active.is_(True))
        if await tx.execute(scheduled.where(table.c.delete_after.is_(None)).values(delete_after=delete_after)) == 0:
            raise SessionEnded
        await revocation.revoke_all(user_id, events.ACCOUNT_DELETION, tx=tx, now=now, actor_id=user_id)
        await email_links.void_all_but_undo(tx, now, user_id)
        await session_cache.invalidate(tx, user_id=user_id)
        await events.record(events.DELETION_REQUESTED, tx=tx, user_id=user_id, actor_id=user_id)
        await outbox.enqueue(tx, "deletion_requested", user_id=user_id, **client.current().words())
    return delete_after


async def delete_due(now: datetime) -> int:
    """Delete the accounts whose day has come, with all their data; returns how many. For maintenance."""
    due = await db.fetch_all(sa.select(user_rows.c.id, user_rows.c.role).where(user_rows.c.delete_after <= now))
    return sum([await _delete(row.id, row.role, now) for row in due])


async def _delete(user_id: UUID, role: str, now: datetime) -> bool:
    table = user_rows
    still = table.c.id == user_id, table.c.role == role, table.c.delete_after <= now
    async with db.transaction() as tx:
        if role == "admin" and not await _others_stay(tx, user_id):
            log.warning("last_admin_not_deleted", user=logs.pseudonym(user_id))
            return False
        person = await tx.fetch_one(sa.delete(table).where(*still).returning(table.c.email))
        if person is None:  # cancelled meanwhile, or deleted by another worker
            return False
        await session_cache.invalidate(tx, user_id=user_id)
        await events.record(events.ACCOUNT_DELETED, tx=tx, user_id=user_id)
        await outbox.forget(tx, user_id)
        await outbox.enqueue(tx, "account_deleted", recipient=person.email)
    return True


async def _others_stay(tx: Any, user_id: UUID) -> bool:
    """Whether another admin remains. Locks the rows of all admins: of two concurrent deletions, one gets False.

    Locks in the order of ids, this user's row included, as `user_admin` does: another order could deadlock.
    """
    table = user_rows
    admins = sa.and_(table.c.role == "admin", table.c.is_active.is_(True), table.c.delete_after.is_(None))
    these = sa.select(table.c.id).where(sa.or_(admins, table.c.id == user_id))
    rows = await tx.fetch_all(these.order_by(table.c.id).with_for_update())
    return any(row.id != user_id for row in rows)
