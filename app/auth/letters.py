"""What the kernel's letters say, and to whom. Each is made when it is sent: only then is anybody's address looked up.

A letter to an address that nobody has confirmed holds no word that a visitor typed, or the site would carry everybody's
advertisements. Letters to an account go to the address that the account has, never to one that was typed for it.
Chapter: "Letters". Source: v5.0.0-6.3.5, v5.0.0-6.3.7; OWASP Forgot Password.
"""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth import links, recovery, registration
from app.auth.models import link_rows, user_rows
from app.mail.message import Composer, Message, letter
from app.settings import get_settings
from app.web import client


async def _register(row: Any) -> Message | None:
    """The link that makes the account. To somebody who has one: that they have one, and the registration is void."""
    if user := await registration.holder(row.recipient):
        async with db.transaction() as tx:
            await registration.void(tx, user.email_key, await tx.fetch_value(sa.select(db.now())))
        return letter("already_registered", user.email, **_asked(row))
    waiting = sa.select(link_rows).where(link_rows.c.id == UUID(row.facts["link"]), link_rows.c.used_at.is_(None))
    link = await db.fetch_one(waiting.where(link_rows.c.ends_at > db.utcnow()))
    return letter("register", row.recipient, url=_url("/verify-email", link), **_asked(row)) if link else None


async def _resend(row: Any) -> Message | None:
    """The newest link once more; no letter to an address that has an account, or has never been heard of."""
    if await registration.holder(row.recipient):
        return None
    link = await registration.newest(row.recipient, db.utcnow())
    return letter("register", link.email, url=_url("/verify-email", link), **_asked(row)) if link else None


async def _forgot(row: Any) -> Message | None:
    browser = client.Client(ip=row.facts["ip"], user_agent=row.facts["user_agent"])
    if not (made := await recovery.make_link(row.recipient, row.id, browser)):
        return None
    user, link = made
    return letter("forgot", user.email, url=_url("/reset-password", link), **_asked(row))


async def _password_changed(row: Any) -> Message | None:
    return await _to_the_owner("password_changed", row)


async def _new_device(row: Any) -> Message | None:
    return await _to_the_owner("new_device", row)


async def _session_reused(row: Any) -> Message | None:
    return await _to_the_owner("session_reused", row)


async def _to_the_owner(template: str, row: Any) -> Message | None:
    email = await db.fetch_value(sa.select(user_rows.c.email).where(user_rows.c.id == row.user_id))
    return letter(template, email, **_asked(row)) if email else None


def _asked(row: Any) -> dict[str, Any]:
    """When and from where, in words of ours."""
    facts = {"device": "an unknown device", "ip": "unknown"} | row.facts
    return {"when": row.created_at, "device": facts["device"], "ip": facts["ip"]}


def _url(path: str, link: Any) -> str:
    return f"{get_settings().origin}{path}?token={links.token(link)}"


COMPOSERS: dict[str, Composer] = {
    "register": _register,
    "resend": _resend,
    "forgot": _forgot,
    "password_changed": _password_changed,
    "new_device": _new_device,
    "session_reused": _session_reused,
}
