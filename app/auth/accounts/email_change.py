"""Email change: requested by the owner, confirmed from the new mailbox, undone from the old one.

The new address counts once the link mailed to it is used, if the account's credentials have not changed since the
request. Until then, and for a week after, a link mailed to the old address cancels or undoes the change (v5.0.0-6.3.7).
The links are made here, under the ids of the e-mails that will carry them: a change that is cancelled before its e-mail
is sent stays cancelled.
Chapter: "The life of an account". Source: OWASP Forgot Password; v5.0.0-6.3.7, v5.0.0-6.3.8, v5.0.0-7.4.3.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, passwords
from app.auth.accounts import login_flow, profile, user_search
from app.auth.accounts.profile import FieldErrors
from app.auth.models import link_rows, user_rows
from app.auth.rate_limit import attempts, known_devices, quotas
from app.auth.sessions import revocation, session_cache
from app.email import outbox
from app.web import client
from app.web.email_address import email_key

SAME_ADDRESS = "This is already your address."

_l = link_rows.c
_PENDING = sa.select(_l.email, _l.fingerprint).where(
    _l.user_id == sa.bindparam("user_id"),
    _l.purpose == email_links.CHANGE_EMAIL,
    _l.used_at.is_(None),
    _l.ends_at > sa.bindparam("now"),
)


async def request_email_change(user_id: UUID, sid: UUID, email: str, current: str) -> FieldErrors:
    """Mail a confirmation link to the new address, and a link that cancels the change to the old one.

    An address that belongs to another account gets the same answer; its owner gets a different e-mail (v5.0.0-6.3.8).
    Returns the validation errors by field, {} for none. Raises TooManyAttempts, Overloaded.
    """
    async with attempts.step_up(sid, db.utcnow()) as attempt:
        user = await profile.load_user(user_id)
        if not await profile.password_is_right(attempt, current, user, sid):
            return {"current_password": profile.NOT_YOURS}
        if email_key(email) == user.email_key:
            return {"email": SAME_ADDRESS}
        async with quotas.email("change_email", email_key(email), db.utcnow(), user_id) as welcome:
            if not welcome:
                return {}
            async with db.transaction() as tx:
                now = await tx.fetch_value(sa.select(db.now()))
                if not await login_flow.lock_unchanged(tx, user, {"last_login": user.last_login}):
                    return {"current_password": profile.NOT_YOURS}  # changed by another request meanwhile
                await email_links.void_email_change(tx, now, user_id)
                await _enqueue_with_link(tx, "email_to_confirm", email_links.CHANGE_EMAIL, user, email, now)
                await _enqueue_with_link(
                    tx, "email_change_requested", email_links.UNDO_EMAIL, user, user.email, now, new=email
                )
                await events.record(events.EMAIL_CHANGE_REQUESTED, tx=tx, user_id=user_id, actor_id=user_id)
    return {}


async def pending_email(user_id: UUID, now: datetime) -> str | None:
    """The requested new address, while it can still be confirmed; or None."""
    link = await db.fetch_one(_PENDING, {"user_id": user_id, "now": now})
    return link.email if link and link.fingerprint == _state(await profile.load_user(user_id)) else None


async def confirm_email(raw: str, now: datetime, *, keep: UUID | None = None, device: str = "") -> Any:
    """Confirm the new address with the link mailed to it. Returns the link's row; None if the link is not valid.

    `keep`: the session of the browser that confirms. It continues if it belongs to this account; every other one ends.
    `device`: the id of that browser (see `cookies.device`). The account still knows it under the new address.
    """
    link = await email_links.find(raw, email_links.CHANGE_EMAIL, now)
    if link is None:
        return None
    table = user_rows
    async with db.transaction() as tx:
        user = await tx.fetch_one(sa.select(table).where(table.c.id == link.user_id).with_for_update())
        if user is None or not user.is_active or link.fingerprint != _state(user):
            return None
        if await email_links.use(tx, raw, email_links.CHANGE_EMAIL, now) is None:
            return None
        if not await _set_email(tx, user, link):
            return None  # another account has this address by now
        await known_devices.rename(tx, user.email_key, link.email_key, device, now)
        await _enqueue_with_link(tx, "email_changed", email_links.UNDO_EMAIL, user, user.email, now, new=link.email)
        await email_links.void_all_but_undo(tx, now, user.id)
        registrations = link_rows.c.purpose == email_links.REGISTER, link_rows.c.email_key == link.email_key
        await email_links.void(tx, now, *registrations)
        await revocation.revoke_all(user.id, events.CREDENTIALS_CHANGED, tx=tx, now=now, actor_id=user.id, but=keep)
        await session_cache.invalidate(tx, user_id=user.id)
        await events.record(events.EMAIL_CHANGED, tx=tx, user_id=user.id, actor_id=user.id)
    return link


async def undo_email(raw: str, now: datetime) -> str | None:
    """Undo the change with the link mailed to the old address: cancel a pending change, or restore the old address.

    The person who requested the change may hold any credential of the account. So all sessions end, and open links,
    passkeys, a recently added second factor and the password become invalid: only a mailed link sets the next password.
    Returns the address that the account has now; None if the link is not valid.
    Raises Overloaded.
    """
    link = await email_links.find(raw, email_links.UNDO_EMAIL, now)
    if link is None:
        return None
    unknown = await passwords.random_hash()
    table = user_rows
    async with db.transaction() as tx:
        user = await tx.fetch_one(sa.select(table).where(table.c.id == link.user_id).with_for_update())
        if user is None or await email_links.use(tx, raw, email_links.UNDO_EMAIL, now) is None:
            return None
        if user.email_key != link.email_key and not await _set_email(tx, user, link):
            return None  # another account has this address by now
        await email_links.void_all_but_undo(tx, now, user.id)
        # Of several changes in a row, the first mailbox wins: an attacker who made them received the later links.
        later = sa.or_(link_rows.c.created_at >= link.created_at, link_rows.c.email_key == link.email_key)
        await email_links.void(
            tx, now, link_rows.c.user_id == user.id, link_rows.c.purpose == email_links.UNDO_EMAIL, later
        )
        values = {"password": unknown, "passkeys_since": now, "mailbox_proved_at": now}
        await tx.execute(sa.update(table).where(table.c.id == user.id).values(values))
        if login_flow.second_factor_is_recent(user, link.created_at):
            await login_flow.undo_second_factor(tx, user.id)
        await revocation.revoke_all(user.id, events.CREDENTIALS_CHANGED, tx=tx, now=now)
        await session_cache.invalidate(tx, user_id=user.id)
        await events.record(events.EMAIL_CHANGE_UNDONE, tx=tx, user_id=user.id)
        await outbox.enqueue(tx, "email_change_undone", user_id=user.id, **client.current().words())
    return str(link.email)


async def _enqueue_with_link(tx: Any, kind: str, purpose: str, user: Any, to: str, now: datetime, **facts: str) -> None:
    """Queue an e-mail to this address, and make the link in it, which is for the same address."""
    facts = facts | client.current().words()
    email_id = await outbox.enqueue(tx, kind, recipient=to, user_id=user.id, **facts)
    about = {"user_id": user.id, "email": to, "email_key": email_key(to), "fingerprint": _state(user)}
    await email_links.make(tx, purpose, now, link_id=email_id, **about)


def _state(user: Any) -> str:
    """A fingerprint of the credentials when the change was requested: it can be confirmed only while they are the same.

    The link that undoes a change is not bound to it.
    """
    seen = user.email_key, user.password, user.second_factor_at, user.must_change_password
    return passwords.fingerprint(" ".join(str(each) for each in seen))


async def _set_email(tx: Any, user: Any, link: Any) -> bool:
    values = {"email": link.email, "email_key": link.email_key, "mailbox_proved_at": db.now()}
    values["search_text"] = user_search.search_text(user.name, link.email_key)
    try:
        async with tx.savepoint():
            await tx.execute(sa.update(user_rows).where(user_rows.c.id == user.id).values(values))
            await user_search.index(tx, user.id, user.name, link.email_key)
    except sa.exc.IntegrityError:
        return False
    return True
