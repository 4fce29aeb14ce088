"""The e-mails about accounts: text and recipient, decided when each is sent, not when it is queued.

A letter to an address that nobody has confirmed holds no word that a visitor typed, or the site would carry everybody's
advertisements. Letters to an account go to the address that the account has, never to one that was typed for it.
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
    """The link that makes the account. To somebody who has one: that they have one, and the registration is void."""
    if user := await signup.holder(row.recipient):
        async with db.transaction() as tx:
            await signup.void(tx, user.email_key, await tx.fetch_value(sa.select(db.now())))
        return from_template("already_registered", user.email, **_asked(row))
    link = await _open_link(UUID(row.facts["link"]))
    return from_template("register", row.recipient, url=_url("/verify-email", link), **_asked(row)) if link else None


async def _resend(row: Any) -> Message | None:
    """The newest link once more; no letter to an address that has an account, or has never been heard of."""
    if await signup.holder(row.recipient):
        return None
    link = await signup.newest(row.recipient, db.utcnow())
    return from_template("register", link.email, url=_url("/verify-email", link), **_asked(row)) if link else None


async def _forgot(row: Any) -> Message | None:
    browser = client.Client(ip=row.facts["ip"], user_agent=row.facts["user_agent"])
    if not (made := await password_reset.make_link(email_key(row.recipient), row.id, browser)):
        return None
    user, link = made
    return from_template("forgot", user.email, url=_url("/reset-password", link), **_asked(row))


async def _from_an_admin(template: str, purpose: str, row: Any) -> Message | None:
    """A link to choose a password, where an admin wants it. Nothing of what the admin typed stands in it."""
    if not (made := await password_reset.make_link_for(row.user_id, purpose, row.id)):
        return None
    user, link = made
    return from_template(template, user.email, url=_url("/reset-password", link))


async def _email_to_confirm(row: Any) -> Message | None:
    """The link that makes the address count. Where it has an account: that nothing was changed, and no link."""
    link = await _open_link(row.id)
    if link is None:  # called off meanwhile
        return None
    if user := await signup.holder(row.recipient):
        return from_template("email_taken", user.email, **_asked(row))
    return from_template("email_to_confirm", row.recipient, url=_url("/verify-email", link), **_asked(row))


async def _deletion_asked(row: Any) -> Message | None:
    """None where the account is kept already: there is another letter about that."""
    user = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == row.user_id))
    if user is None or user.delete_after is None:
        return None
    return from_template("deletion_requested", user.email, day=user.delete_after, **_asked(row))


async def _account_deleted(row: Any) -> Message | None:
    return from_template("account_deleted", row.recipient)


async def _with_a_way_back(template: str, row: Any) -> Message | None:
    """To the old mailbox; while the link in it is good."""
    link = await _open_link(row.id)
    if link is None:
        return None
    url = _url("/undo-email-change", link)
    return from_template(template, row.recipient, url=url, new=row.facts["new"], **_asked(row))


async def to_the_owner(template: str, row: Any) -> Message | None:
    email = await db.fetch_value(sa.select(user_rows.c.email).where(user_rows.c.id == row.user_id))
    return from_template(template, email, **_asked(row)) if email else None


async def _open_link(link_id: UUID) -> Any:
    table = link_rows
    still = table.c.used_at.is_(None), table.c.ends_at > db.utcnow()
    return await db.fetch_one(sa.select(table).where(table.c.id == link_id, *still))


def _asked(row: Any) -> dict[str, Any]:
    """When and from where, in words of ours."""
    facts = {"device": "an unknown device", "ip": "unknown"} | row.facts
    return {"when": row.created_at, "device": facts["device"], "ip": facts["ip"]}


def _url(path: str, link: Any) -> str:
    return f"{get_settings().origin}{path}?token={email_links.token(link)}"


COMPOSERS: dict[str, Composer] = {
    "register": _register,
    "resend": _resend,
    "forgot": _forgot,
    "invite": partial(_from_an_admin, "invite", email_links.INVITE),
    "reset": partial(_from_an_admin, "reset", email_links.RESET),
    "email_to_confirm": _email_to_confirm,
    "deletion_requested": _deletion_asked,
    "account_deleted": _account_deleted,
    **{kind: partial(_with_a_way_back, kind) for kind in ("email_change_requested", "email_changed")},
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
