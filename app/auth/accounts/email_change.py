"""Email change: requested by the owner, confirmed from the new mailbox, undone from the old one.

An address counts once somebody has answered from it, and the account is still what it was when it was asked for; until
then, and for a week after, its predecessor can call it off (v5.0.0-6.3.7). The links are made here, with the ids of the
letters that will carry them: what is called off before a letter goes out is called off.
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
from app.auth.rate_limit import attempts, quotas
from app.auth.sessions import rotation, session_cache
from app.email import outbox
from app.web import client
from app.web.email_address import email_key

SAME_ADDRESS = "This is the address you have now."


async def request_email_change(user_id: UUID, sid: UUID, email: str, current: str) -> FieldErrors:
    """Mail a link to the new address that makes it count, and one to the old address that calls it off.

    An address that belongs to an account gets the same answer, and its owner another letter (v5.0.0-6.3.8).
    Raises TooManyAttempts, Overloaded.
    """
    async with attempts.step_up(sid, db.utcnow()) as attempt:
        user = await profile.load_user(user_id)
        if not await profile.password_is_right(attempt, current, user, sid):
            return {"current_password": profile.NOT_YOURS}
        if email_key(email) == user.email_key:
            return {"email": SAME_ADDRESS}
        async with quotas.email("change_email", email_key(email), db.utcnow()) as welcome:
            if not welcome:
                return {}
            async with db.transaction() as tx:
                now = await tx.fetch_value(sa.select(db.now()))
                if not await login_flow.lock_unchanged(tx, user, {"last_login": user.last_login}):
                    return {"current_password": profile.NOT_YOURS}  # changed by another request meanwhile
                await email_links.void_changes(tx, now, user_id)
                await _enqueue_with_link(tx, "email_to_confirm", email_links.CHANGE_EMAIL, user, email, now)
                await _enqueue_with_link(
                    tx, "email_change_requested", email_links.UNDO_EMAIL, user, user.email, now, new=email
                )
                await events.record(events.EMAIL_CHANGE_REQUESTED, tx=tx, user_id=user_id, actor_id=user_id)
    return {}


async def pending_email(user_id: UUID, now: datetime) -> str | None:
    """The address that waits to be confirmed, and still can be."""
    table = link_rows
    waiting = table.c.purpose == email_links.CHANGE_EMAIL, table.c.used_at.is_(None), table.c.ends_at > now
    link = await db.fetch_one(sa.select(table.c.email, table.c.fingerprint).where(table.c.user_id == user_id, *waiting))
    return link.email if link and link.fingerprint == _state(await profile.load_user(user_id)) else None


async def confirm_email(raw: str, now: datetime, *, keep: UUID | None = None) -> Any:
    """The click in the new mailbox: from now on this is the address. Returns the link's row; None if it is no good.

    `keep`: the session of whoever clicks, which goes on if it is of this account; every other one ends.
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
            return None  # somebody else has an account with it by now
        await _enqueue_with_link(tx, "email_changed", email_links.UNDO_EMAIL, user, user.email, now, new=link.email)
        await email_links.void_of(tx, now, user.id)
        registrations = link_rows.c.purpose == email_links.REGISTER, link_rows.c.email_key == link.email_key
        await email_links.void(tx, now, *registrations)
        await rotation.revoke_all(user.id, events.CREDENTIALS_CHANGED, tx=tx, now=now, actor_id=user.id, but=keep)
        await session_cache.invalidate(tx, user_id=user.id)
        await events.record(events.EMAIL_CHANGED, tx=tx, user_id=user.id, actor_id=user.id)
    return link


async def undo_email(raw: str, now: datetime) -> str | None:
    """The click in the old mailbox: call off the change that waits, or put the old address back.

    All sessions end, and every link, passkey and young second factor is void that whoever asked for the change may have
    got hold of. So is the password, which they know, or have chosen by a mailed link meanwhile: only a mailed link
    chooses the next one. Returns the address that the account has now; None for a link that is no good.
    Raises Overloaded.
    """
    link = await email_links.find(raw, email_links.UNDO_EMAIL, now)
    if link is None:
        return None
    unknown = await passwords.of_nobody()
    table = user_rows
    async with db.transaction() as tx:
        user = await tx.fetch_one(sa.select(table).where(table.c.id == link.user_id).with_for_update())
        if user is None or await email_links.use(tx, raw, email_links.UNDO_EMAIL, now) is None:
            return None
        if user.email_key != link.email_key and not await _set_email(tx, user, link):
            return None  # somebody else has an account with it by now
        await email_links.void_of(tx, now, user.id)
        # Of a chain of changes the first mailbox wins: the links of the later ones went to whoever made them.
        later = sa.or_(link_rows.c.created_at >= link.created_at, link_rows.c.email_key == link.email_key)
        await email_links.void(
            tx, now, link_rows.c.user_id == user.id, link_rows.c.purpose == email_links.UNDO_EMAIL, later
        )
        values = {"password": unknown, "passkeys_since": now, "mailbox_proved_at": now}
        await tx.execute(sa.update(table).where(table.c.id == user.id).values(values))
        if login_flow.second_factor_is_recent(user, link.created_at):
            await login_flow.undo_second_factor(tx, user.id)
        await rotation.revoke_all(user.id, events.CREDENTIALS_CHANGED, tx=tx, now=now)
        await session_cache.invalidate(tx, user_id=user.id)
        await events.record(events.EMAIL_CHANGE_UNDONE, tx=tx, user_id=user.id)
        await outbox.enqueue(tx, "email_change_undone", user_id=user.id, **client.current().words())
    return str(link.email)


async def _enqueue_with_link(tx: Any, kind: str, purpose: str, user: Any, to: str, now: datetime, **facts: str) -> None:
    """A letter to this address, and the link in it, which also is about this address."""
    facts = facts | client.current().words()
    email_id = await outbox.enqueue(tx, kind, recipient=to, user_id=user.id, **facts)
    about = {"user_id": user.id, "email": to, "email_key": email_key(to), "fingerprint": _state(user)}
    await email_links.make(tx, purpose, now, link_id=email_id, **about)


def _state(user: Any) -> str:
    """What a new address is bound to: whoever asks for it, and what they had proved, must be what still counts.

    The way back to an old address is not bound to it.
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
