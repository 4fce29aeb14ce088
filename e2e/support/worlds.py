"""Somebody for each form of the site: what they hold, and where the walk through the pages begins."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import cookies, email_links, keys, mfa_ticket, passwords, redirects
from app.auth.accounts import passkey_offer, password_reset
from app.auth.models import user_rows
from app.auth.sessions import revocation
from app.email.models import email_rows
from app.mfa.models import passkey_rows
from app.notes import store  # notes
from app.web import client
from tests.support import forge
from tests.support.acts import of_features
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.phone import Phone, with_a_phone


@dataclass
class World:
    """`roots`: where the walk begins. `jar`: the cookies."""

    person: Person
    roots: list[str]
    jar: dict[str, str] = field(default_factory=dict)
    phone: Phone | None = None


async def nobody() -> World:
    person, other = await make_user(), await make_user()
    email, now = f"{db.uuid7()}@example.com", db.utcnow()
    chosen = await passwords.hash(PASSWORD)
    made = await password_reset.make_link(person.email, db.uuid7(), client.Client())
    assert made
    async with db.transaction() as tx:
        register = await email_links.make(
            tx, email_links.REGISTER, now, email=email, email_key=email, name="Joan Example", password=chosen
        )
        undo = await email_links.make(
            tx, email_links.UNDO_EMAIL, now, user_id=other.id, email=other.email, email_key=other.email
        )
    mailed = {
        "verify-email": register,
        "reset-password": made[1],
        "undo-email-change": undo,
    }
    opened = [f"/{path}?token={email_links.token(row)}" for path, row in mailed.items()]
    return World(person, ["/login", "/register", "/forgot-password", "/verify-email/resend", *opened])


async def administrator() -> World:
    """With a note, a passkey, another device, somebody signed in to administrate, and an e-mail that did not arrive."""
    person, somebody, now = await make_user(role="admin"), await make_user(), db.utcnow()
    pair, theirs, _ = await start_session(person), await start_session(somebody), await start_session(person)
    await store.create(person.id, "Keys", "Third hook.")  # notes
    passkey = {"id": db.uuid7(), "user_id": person.id, "name": "Phone", "credential": str(person.id), "public_key": "x"}
    await db.execute(sa.insert(passkey_rows).values(passkey | {"uses": 0, "created_at": now}))
    for make in of_features("WORLD").values():
        await make(person.id)
    failed = {"id": db.uuid7(), "kind": "reset", "recipient": "x@example.com", "error": "550", "failed_at": now}
    await db.execute(sa.insert(email_rows).values(failed | {"created_at": now, "next_try_at": now}))
    theirs_sid = forge.claims(theirs.access_token)["sid"]
    roots = ["/dashboard", "/account/export", f"/admin/users/{somebody.id}/sessions/{theirs_sid}/end"]
    roots += [f"/admin/users/{somebody.id}/edit", f"/admin/users/{somebody.id}/require-new-password", "/admin/mail"]
    roots += ["/learn/lab/inspector", "/learn/lab/attacks"]  # learn
    return World(person, roots, jar_of(pair))


async def with_a_second_step() -> World:
    person = await make_user()
    phone = await with_a_phone(person)
    return World(person, ["/account/second-factor"], jar_of(phone.pair), phone)


async def an_hour_later() -> World:
    person = await make_user()
    pair = await start_session(person)
    typed = int(db.utcnow().timestamp()) - 3600
    jar = jar_of(pair) | {cookies.access_name(): forge.resign(pair.access_token, auth_time=typed)}
    return World(person, ["/account/password"], jar)


async def stolen_from() -> World:
    """A session of theirs ended because an old token was used again, and they have not said who used it."""
    person = await make_user()
    reused = forge.claims((await start_session(person)).access_token)["sid"]
    async with db.transaction() as tx:
        await revocation.revoke(UUID(reused), events.REUSED, tx=tx, now=db.utcnow())
    return World(person, ["/dashboard"], jar_of(await start_session(person)))


async def offered_a_passkey() -> World:
    """They have just signed in with the password, on a device that could keep a passkey."""
    person = await make_user()
    pair = await start_session(person)
    purpose = passkey_offer.purpose(UUID(forge.claims(pair.access_token)["sid"]))
    challenge = keys.challenge(purpose, db.utcnow() + passkey_offer.PROOF_LIFETIME)
    return World(person, [f"{redirects.PASSKEY_OFFER}?next=/account#{challenge}"], jar_of(pair))


async def half_signed_in() -> World:
    person = await make_user()
    phone = await with_a_phone(person)
    stored = await db.fetch_value(sa.select(user_rows.c.password).where(user_rows.c.id == person.id))
    ticket = mfa_ticket.issue(person.id, stored, db.utcnow())
    return World(person, ["/login/code"], {cookies.ticket_name(): ticket}, phone)


MakeWorld = Callable[[], Awaitable[World]]
WORLDS: tuple[MakeWorld, ...] = (
    nobody, administrator, with_a_second_step, an_hour_later, stolen_from, half_signed_in, offered_a_passkey
)  # fmt: skip


def jar_of(pair: Any) -> dict[str, str]:
    return {cookies.access_name(): pair.access_token, cookies.refresh_name(): pair.refresh_token}
