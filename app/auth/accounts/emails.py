"""The e-mails about accounts: text and recipient, decided when each is sent, not when it is queued.

An e-mail to an unconfirmed address contains no text that a visitor typed, or the site could be used to send spam.
E-mails to an account go to the address stored for the account, never to one that a visitor typed.
Chapter: "Transactional e-mail". Source: v5.0.0-6.3.5, v5.0.0-6.3.7; OWASP Forgot Password.
"""

from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth import email_links
from app.auth.accounts import password_reset, signup
from app.auth.models import link_rows, user_rows
from app.email.messages import Composer, Message, from_template
from app.settings import get_settings
from app.web import client
from app.web.email_address import email_key


async def _register(row: Any) -> Message | None:
    """The confirmation link. If the address has an account: a note that it has, and the registration becomes void.

    None if sign-up was closed meanwhile: the link would open nothing.
    """
    if not get_settings().takes_signups:
        return None
    if user := await signup.account_of(row.recipient):
        async with db.transaction() as tx:
            await signup.void(tx, user.email_key, await tx.fetch_value(sa.select(db.now())))
        return from_template("already_registered", user.email, **_request_facts(row))
    link = await _open_link(UUID(row.facts["link"]))
    return (
        from_template("register", row.recipient, url=_url("/verify-email", link), **_request_facts(row))
        if link
        else None
    )


async def _resend(row: Any) -> Message | None:
    """The newest link again; no e-mail to an address with an account or without a registration."""
    if not get_settings().takes_signups or await signup.account_of(row.recipient):
        return None
    link = await signup.newest(row.recipient, db.utcnow())
    return (
        from_template("register", link.email, url=_url("/verify-email", link), **_request_facts(row)) if link else None
    )


async def _password_reset(row: Any) -> Message | None:
    browser = client.Client(ip=row.facts["ip"], user_agent=row.facts["user_agent"])
    if not (made := await password_reset.make_link(email_key(row.recipient), row.id, browser)):
        return None
    user, link = made
    return from_template("password_reset", user.email, url=_url("/reset-password", link), **_request_facts(row))


async def _sent_by_admin(template: str, purpose: str, row: Any) -> Message | None:
    """A link to choose a password, sent by an admin. Contains no text that the admin typed."""
    if not (made := await password_reset.make_link_for(row.user_id, purpose, row.id)):
        return None
    user, link = made
    return from_template(template, user.email, url=_url("/reset-password", link))


async def _email_to_confirm(row: Any) -> Message | None:
    """The link that confirms the new address. If the address has an account: a note without a link."""
    link = await _open_link(row.id)
    if link is None:  # cancelled
        return None
    if user := await signup.account_of(row.recipient):
        return from_template("email_taken", user.email, **_request_facts(row))
    return from_template("email_to_confirm", row.recipient, url=_url("/verify-email", link), **_request_facts(row))


async def _deletion_requested(row: Any) -> Message | None:
    """None if the deletion was cancelled: another e-mail says so."""
    user = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == row.user_id))
    if user is None or user.delete_after is None:
        return None
    return from_template("deletion_requested", user.email, day=user.delete_after, **_request_facts(row))


async def _account_deleted(row: Any) -> Message | None:
    return from_template("account_deleted", row.recipient)


async def _with_undo_link(template: str, row: Any) -> Message | None:
    """To the old address, with the link that undoes the change; None once that link is not valid."""
    link = await _open_link(row.id)
    if link is None:
        return None
    url = _url("/undo-email-change", link)
    return from_template(template, row.recipient, url=url, new=row.facts["new"], **_request_facts(row))


async def to_the_owner(template: str, row: Any) -> Message | None:
    email = await db.fetch_value(sa.select(user_rows.c.email).where(user_rows.c.id == row.user_id))
    return from_template(template, email, **_request_facts(row)) if email else None


async def _open_link(link_id: UUID) -> Any:
    table = link_rows
    still = table.c.used_at.is_(None), table.c.ends_at > db.utcnow()
    return await db.fetch_one(sa.select(table).where(table.c.id == link_id, *still))


def _request_facts(row: Any) -> dict[str, Any]:
    """Time, device and IP address of the request."""
    facts = {"device": "an unknown device", "ip": "unknown"} | row.facts
    return {"when": row.created_at, "device": facts["device"], "ip": facts["ip"]}


def _url(path: str, link: Any) -> str:
    return f"{get_settings().origin}{path}?token={email_links.token(link)}"


COMPOSERS: dict[str, Composer] = {
    "register": _register,
    "resend": _resend,
    "forgot": _password_reset,  # the kinds "forgot" and "reset" stand in queued rows, so they stay
    "invite": partial(_sent_by_admin, "invite", email_links.INVITE),
    "reset": partial(_sent_by_admin, "password_reset_by_admin", email_links.RESET),
    "email_to_confirm": _email_to_confirm,
    "deletion_requested": _deletion_requested,
    "account_deleted": _account_deleted,
    **{kind: partial(_with_undo_link, kind) for kind in ("email_change_requested", "email_changed")},
    **{
        kind: partial(to_the_owner, kind)
        for kind in (
            "password_changed",
            "new_device",
            "second_factor_requested",
            "session_reused",
            "email_change_undone",
            "deletion_cancelled",
        )
    },
}
