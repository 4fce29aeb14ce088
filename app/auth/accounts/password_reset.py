"""Password reset: a mailed link to choose a new password, also the first one of an invited account.

The request only queues an e-mail; the account is looked up when the e-mail is composed, so known and unknown addresses
take the same time (v5.0.0-6.3.8). The link is bound to the password it replaces and signs nobody in. Resetting ends
every session (v5.0.0-7.4.3), so a person with the old password is signed out. A second factor stays on, unless it is so
recent that an attacker may have added it.
With APP_REGISTRATION=closed an invited person gets no password, by no link: the account stays unused.
Chapter: "Transactional e-mail". Source: OWASP Forgot Password; v5.0.0-6.4.1, v5.0.0-6.4.3.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, passwords
from app.auth.accounts import login_flow
from app.auth.errors import RegistrationClosed
from app.auth.models import user_rows
from app.auth.rate_limit import known_devices, quotas
from app.auth.sessions import revocation, session_cache
from app.email import outbox
from app.settings import get_settings
from app.web import client
from app.web.email_address import email_key


async def request(email: str) -> None:
    """Queue a reset e-mail to this address, whether it has an account or not. Raises TooManyAttempts."""
    key = email_key(email)
    async with quotas.email("forgot", key, db.utcnow()) as welcome:
        if welcome:
            async with db.transaction() as tx:
                browser = client.current()
                facts = browser.words() | {"user_agent": browser.user_agent}
                await outbox.enqueue(tx, "forgot", recipient=key, **facts)


async def make_link(email_key: str, email_id: UUID, browser: client.Client) -> tuple[Any, Any] | None:
    """For the e-mail: the account of that address and its link, the same one for the same e-mail; or None.

    `browser`: the client that requested the reset, for the audit log.
    """
    return await _make_link(user_rows.c.email_key == email_key, email_links.RESET, email_id, browser)


async def make_link_for(user_id: UUID, purpose: str, email_id: UUID) -> tuple[Any, Any] | None:
    """The same for an e-mail that an admin sent, which is already in the audit log. `purpose`: RESET or INVITE."""
    return await _make_link(user_rows.c.id == user_id, purpose, email_id, None)


async def _make_link(whose: Any, purpose: str, email_id: UUID, browser: client.Client | None) -> tuple[Any, Any] | None:
    try:
        async with db.transaction() as tx:
            user = await tx.fetch_one(sa.select(user_rows).where(whose, user_rows.c.is_active.is_(True)))
            if user is None or _is_refused(user):
                return None
            now = await tx.fetch_value(sa.select(db.now()))
            values = {"user_id": user.id, "fingerprint": passwords.fingerprint(user.password)}
            row = await email_links.make(tx, purpose, now, link_id=email_id, **values)
            if browser and row.created_at == now:  # not a retry of the same e-mail
                await events.record(events.PASSWORD_RESET_REQUESTED, tx=tx, user_id=user.id, browser=browser)
    except sa.exc.IntegrityError:  # already used: the e-mail had arrived
        return None
    return user, row


async def find(raw: str, now: datetime) -> tuple[Any, Any] | None:
    """The account whose password this link may replace, and the link; None if the link is not valid.

    Raises RegistrationClosed for the valid link of an invited person.
    """
    row = await email_links.find(raw, email_links.RESET, now) or await email_links.find(raw, email_links.INVITE, now)
    user = row and await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == row.user_id))
    if not user or not user.is_active or row.fingerprint != passwords.fingerprint(user.password):
        return None
    if _is_refused(user):
        raise RegistrationClosed
    return user, row


def _is_refused(user: Any) -> bool:
    """Is this the first password of an invited person, where nobody new is taken?"""
    accepted = user.mailbox_proved_at or user.last_login
    return not get_settings().takes_invited and user.invited_at is not None and not accepted


def undoes_second_factor(user: Any, now: datetime) -> bool:
    """Whether an e-mailed reset turns the second factor off.

    A second factor that an attacker turned on would lock the owner out for good; an old one must not be lost with the
    mailbox. So only a recent one, if no mailed link was used since it was turned on.
    """
    proved = user.mailbox_proved_at
    return login_flow.second_factor_is_recent(user, now) and (proved is None or proved < user.second_factor_at)


async def reset(raw: str, password: str, device: str = "") -> bool:
    """Replace the password and end every session; False if the link is not valid.

    Validate the password first (`passwords.validation_error`). The account knows the `device` for 30 minutes, so
    guesses from elsewhere do not delay the owner's login (v5.0.0-6.1.1). Raises Overloaded.
    """
    found = await find(raw, db.utcnow())
    if found is None:
        return False
    user, link = found
    encoded = await passwords.hash(password)
    try:
        async with db.transaction() as tx:
            await _replace(tx, raw, user, link.purpose, encoded, device)
    except _LinkExpired:
        return False
    return True


class _LinkExpired(Exception):
    pass


async def _replace(tx: Any, raw: str, user: Any, purpose: str, encoded: str, device: str) -> None:
    table = user_rows
    # Lock the user's row first, as everywhere; of two links used at once the second finds a changed password.
    unchanged = (table.c.id == user.id, table.c.is_active.is_(True), table.c.password == user.password)
    user = await tx.fetch_one(sa.select(table).where(*unchanged).with_for_update())
    if user is None:
        raise _LinkExpired
    now = await tx.fetch_value(sa.select(db.now()))
    if await email_links.use(tx, raw, purpose, now) is None:
        raise _LinkExpired
    # Older passkeys become void: an attacker may have added one.
    values = {"password": encoded, "must_change_password": False, "passkeys_since": now, "mailbox_proved_at": now}
    await tx.execute(sa.update(table).where(table.c.id == user.id).values(values))
    if undoes_second_factor(user, now):
        await login_flow.undo_second_factor(tx, user.id)
    await email_links.void_all_but_undo(tx, now, user.id)
    await known_devices.remember(tx, user.email_key, device, now, known_devices.KNOWN_BY_LINK)
    await revocation.revoke_all(user.id, events.CREDENTIALS_CHANGED, tx=tx, now=now, actor_id=user.id)
    await session_cache.invalidate(tx, user_id=user.id)
    await events.record(events.PASSWORD_RESET, tx=tx, user_id=user.id, actor_id=user.id)
    await outbox.enqueue(tx, "password_changed", user_id=user.id, **client.current().words())
