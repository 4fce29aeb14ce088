"""Password reset: who gets a link, what it does, and what it voids."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import email_links, passwords
from app.auth.accounts import email_change, login_flow, password_reset, user_admin
from app.auth.models import invalidation_rows, link_rows, session_rows, user_rows
from app.auth.rate_limit import attempts
from app.email.models import email_rows
from app.mfa import second_factor
from app.web.client import Client
from tests.support import forge
from tests.support.clock import Clock
from tests.support.mailbox import delivered, emails_to, link_in
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.phone import with_a_phone
from tests.support.statements import sent, spoken
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

NEW = "a brand new passphrase"
NOBODY = Client()


async def link_for(person: Person) -> str:
    """The token in an e-mail to the person."""
    made = await password_reset.make_link(person.email, db.uuid7(), NOBODY)
    assert made
    return email_links.token(made[1])


async def link_of(person: Person, purpose: str, **values: Any) -> str:
    async with db.transaction() as tx:
        return email_links.token(await email_links.make(tx, purpose, db.utcnow(), user_id=person.id, **values))


async def stored(user_id: UUID) -> str:
    return str(await db.fetch_value(sa.select(user_rows.c.password).where(user_rows.c.id == user_id)))


async def email_messages() -> list[str]:
    return [row.kind for row in await db.fetch_all(sa.select(email_rows).order_by(email_rows.c.id))]


async def audited(event: str) -> list[Any]:
    return await db.fetch_all(sa.select(event_rows).where(event_rows.c.event == event))


async def test_link_replaces_the_password() -> None:
    person = await make_user()

    assert await password_reset.reset(await link_for(person), NEW)

    assert await login_flow.login(person.email, PASSWORD) is None
    assert await login_flow.login(person.email, NEW)


# v5.0.0-7.4.3
# v5.0.0-6.3.6
async def test_reset_ends_every_session_and_starts_none() -> None:
    """AC-051, v5.0.0-7.4.3"""
    person, other = await make_user(), await make_user()
    for _ in range(3):
        await start_session(person)
    await start_session(other)

    await password_reset.reset(await link_for(person), NEW)

    rows = await db.fetch_all(sa.select(session_rows).where(session_rows.c.user_id == person.id))
    assert [row.revoked_for for row in rows] == [events.CREDENTIALS_CHANGED] * 3
    live = await db.fetch_all(sa.select(session_rows.c.user_id).where(session_rows.c.revoked_at.is_(None)))
    assert [row.user_id for row in live] == [other.id]
    assert person.id in [row.user_id for row in await db.fetch_all(sa.select(invalidation_rows))]


async def test_owner_gets_an_email_and_the_audit_log_an_event() -> None:
    person = await make_user()

    await password_reset.reset(await link_for(person), NEW)

    assert await email_messages() == ["password_changed"]
    assert [row.user_id for row in await audited(events.PASSWORD_RESET_REQUESTED)] == [person.id]
    assert [row.user_id for row in await audited(events.PASSWORD_RESET)] == [person.id]


# v5.0.0-6.4.1, v5.0.0-6.5.1
async def test_link_is_good_once() -> None:
    person = await make_user()
    raw = await link_for(person)
    await password_reset.reset(raw, NEW)

    assert await password_reset.find(raw, db.utcnow()) is None
    assert not await password_reset.reset(raw, PASSWORD)

    assert await login_flow.login(person.email, NEW)


# v5.0.0-15.4.2, v5.0.0-2.3.4
@pytest.mark.race
async def test_ten_uses_at_once_are_one() -> None:
    person = await make_user()
    raw = await link_for(person)
    chosen = [f"{NEW} {number}" for number in range(10)]

    done = await asyncio.gather(*(password_reset.reset(raw, each) for each in chosen))

    assert done.count(True) == 1
    assert (await passwords.verify(chosen[done.index(True)], await stored(person.id))).ok
    assert await email_messages() == ["password_changed"]


@pytest.mark.race
async def test_two_links_used_at_once_are_one() -> None:
    person = await make_user()
    raws = [await link_for(person) for _ in range(4)]

    done = await asyncio.gather(*(password_reset.reset(raw, NEW) for raw in raws))

    assert done.count(True) == 1


# v5.0.0-6.4.1
async def test_link_is_over_after_half_an_hour(clock: Clock) -> None:
    """v5.0.0-6.5.5"""
    person = await make_user()
    raw = await link_for(person)
    clock.forward(minutes=29, seconds=59)
    assert await password_reset.find(raw, db.utcnow())

    clock.forward(seconds=1)

    assert not await password_reset.reset(raw, NEW)
    assert await login_flow.login(person.email, PASSWORD)


async def test_older_links_die_with_the_password() -> None:
    """AC-047"""
    person = await make_user()
    first, second = await link_for(person), await link_for(person)

    assert await password_reset.reset(first, NEW)

    assert not await password_reset.reset(second, "yet another passphrase")


async def test_link_dies_when_the_password_is_changed_elsewhere() -> None:
    person = await make_user()
    raw = await link_for(person)
    encoded = await passwords.hash(NEW)
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(password=encoded))

    assert await password_reset.find(raw, db.utcnow()) is None
    assert not await password_reset.reset(raw, "yet another passphrase")


async def test_password_that_changes_while_the_new_one_is_hashed_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a word to the links: only the update itself can tell."""
    person = await make_user()
    raw = await link_for(person)

    async def and_then_changed(password: str, hashed: Any = passwords.hash) -> str:
        values = {"password": await hashed("chosen elsewhere meanwhile")}
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(values))
        return str(await hashed(password))

    monkeypatch.setattr(passwords, "hash", and_then_changed)

    assert not await password_reset.reset(raw, NEW)
    assert (await passwords.verify("chosen elsewhere meanwhile", await stored(person.id))).ok
    assert await email_messages() == []


async def second_factor_of(person: Person) -> Any:
    return await db.fetch_value(sa.select(user_rows.c.second_factor_at).where(user_rows.c.id == person.id))


# v5.0.0-6.4.3
async def test_second_factor_that_an_attacker_turned_on_does_not_lock_the_owner_out(clock: Clock) -> None:
    person = await make_user()
    attackers = await with_a_phone(person)
    clock.forward(days=6, hours=23)

    assert await password_reset.reset(await link_for(person), NEW)

    assert isinstance(await login_flow.login(person.email, NEW), login_flow.Login)
    assert [row.user_id for row in await audited(events.SECOND_FACTOR_UNDONE)] == [person.id]
    assert "Two-factor authentication was turned off again" in [
        email_message.subject for email_message in await emails_to(person.email)
    ]
    # What the attacker has left of it is worth nothing, now and when the owner turns one on.
    clock.forward(seconds=60)
    await with_a_phone(replace(person, password=NEW))
    half = await login_flow.login(person.email, NEW)
    assert isinstance(half, login_flow.PendingLogin)
    for code in (attackers.shows(clock.now), attackers.recovery_codes[0]):
        assert await second_factor.sign_in(half.ticket, code) is None


# v5.0.0-6.4.3
async def test_mailbox_alone_does_nothing_about_a_second_factor_of_long_standing(clock: Clock) -> None:
    """Neither by one reset nor by several, nor by the way back to an old address."""
    person = await make_user()
    phone = await with_a_phone(person)
    since = await second_factor_of(person)
    clock.forward(days=7)

    for password in (NEW, "once more another passphrase"):
        assert await password_reset.reset(await link_for(person), password)
        clock.forward(minutes=1)
    back = await link_of(person, email_links.UNDO_EMAIL, email=person.email, email_key=person.email)
    assert await email_change.undo_email(back, db.utcnow())
    assert await password_reset.reset(await link_for(person), NEW)

    assert await second_factor_of(person) == since
    assert await audited(events.SECOND_FACTOR_UNDONE) == []
    half = await login_flow.login(person.email, NEW)
    assert isinstance(half, login_flow.PendingLogin)
    assert await second_factor.sign_in(half.ticket, phone.shows(clock.now))


async def test_second_factor_stands_where_its_owner_has_proved_a_mailbox_since(clock: Clock) -> None:
    """The mailbox of a day ago was proved by somebody who had the second factor: the owner of both."""
    person = await make_user()
    phone = await with_a_phone(person)
    assert phone.pair
    clock.forward(days=1)
    sid = UUID(forge.claims(phone.pair.access_token)["sid"])
    assert await email_change.request_email_change(person.id, sid, "new@example.com", PASSWORD) == {}
    (email_message,) = [
        email_message for email_message in await emails_to("new@example.com") if "Confirm" in email_message.subject
    ]
    assert await email_change.confirm_email(link_in(email_message).partition("?token=")[2], db.utcnow(), keep=sid)
    clock.forward(minutes=1)

    assert await password_reset.reset(await link_for(replace(person, email="new@example.com")), NEW)

    assert isinstance(await login_flow.login("new@example.com", NEW), login_flow.PendingLogin)


@pytest.mark.parametrize(("age", "told"), [({"days": 6}, True), ({"days": 7}, False)])
async def test_page_says_before_that_it_turns_the_second_step_off(
    client: Visitor, clock: Clock, age: dict[str, int], told: bool
) -> None:
    person = await make_user()
    await with_a_phone(person)
    clock.forward(**age)

    page = await client.visit(f"/reset-password?token={await link_for(person)}")

    assert ("turns off two-factor authentication" in page.text) is told


async def test_link_dies_with_the_account_closed() -> None:
    person = await make_user()
    raw = await link_for(person)
    await user_admin.change(person.id, (await make_user(role="admin")).id, is_active=False)

    assert await password_reset.find(raw, db.utcnow()) is None
    assert not await password_reset.reset(raw, NEW)

    assert await email_messages() == []


async def test_what_an_attacker_had_under_way_is_void_and_the_way_back_is_not() -> None:
    """An e-mail change that an attacker requested must not survive the reset that ends the attacker's sessions."""
    person = await make_user()
    theirs = await link_of(person, email_links.CHANGE_EMAIL, email="eve@example.com", email_key="eve@example.com")
    back = await link_of(person, email_links.UNDO_EMAIL, email=person.email, email_key=person.email)

    await password_reset.reset(await link_for(person), NEW)

    assert await email_links.find(theirs, email_links.CHANGE_EMAIL, db.utcnow()) is None
    assert await email_links.find(back, email_links.UNDO_EMAIL, db.utcnow())


async def test_links_of_others_stay_good() -> None:
    person, other = await make_user(), await make_user()
    raw = await link_for(other)

    await password_reset.reset(await link_for(person), NEW)

    assert await password_reset.find(raw, db.utcnow())


async def test_invitation_leads_to_the_first_password() -> None:
    """v5.0.0-6.4.1: an admin creates the account, but only its owner ever knows a password."""
    person = await make_user(password="nobody knows this one")
    raw = await link_of(person, email_links.INVITE, fingerprint=passwords.fingerprint(await stored(person.id)))

    assert await password_reset.reset(raw, NEW)

    assert await login_flow.login(person.email, NEW)
    assert not await password_reset.reset(raw, PASSWORD)


@pytest.mark.parametrize("raw", ["", ".", "null", "[]", "x" * 5000, "\x00", "01a20b13-1ac5-7880-b8cb-dc794c22012c.x"])
async def test_nonsense_is_no_link(raw: str) -> None:
    """AC-050"""
    assert await password_reset.find(raw, db.utcnow()) is None
    assert not await password_reset.reset(raw, NEW)


# v5.0.0-6.3.8
async def test_known_and_unknown_address_run_the_same_statements() -> None:
    """v5.0.0-6.3.8"""
    person = await make_user()
    seen = []
    for email in (person.email, "nobody@example.com"):
        with sent() as run:
            await password_reset.request(email)
        seen.append(spoken(run))

    assert seen[0] == seen[1]
    assert not any("users" in one for one in seen[0])


# v5.0.0-2.4.1, v5.0.0-6.1.1, v5.0.0-6.6.3
async def test_mailbox_gets_five_emails_a_day_and_its_owner_can_still_sign_in(clock: Clock) -> None:
    """AC-053"""
    person = await make_user()
    for _ in range(19):
        await password_reset.request(person.email)

    assert await email_messages() == ["forgot"] * 5
    assert await login_flow.login(person.email, PASSWORD)
    clock.forward(days=1)
    await password_reset.request(person.email)
    assert (await email_messages()).count("forgot") == 6


async def test_resets_for_other_tags_of_a_mailbox_use_up_none_of_its_owner() -> None:
    """v5.0.0-6.1.1: a tag without an account gets no e-mail, so it need not count for the mailbox."""
    person = await make_user(email="joan@example.com")
    for number in range(10):
        await password_reset.request(f"joan+{number}@example.com")

    await password_reset.request(person.email)

    assert [message.recipient for message in await delivered()] == [person.email]


async def test_one_place_has_to_wait_whatever_it_asks_for(clock: Clock) -> None:
    for number in range(20):
        await password_reset.request(f"person{number}@example.com")

    with pytest.raises(attempts.TooManyAttempts):
        await password_reset.request("another@example.com")


async def test_stored_link_is_no_link() -> None:
    """AC-054: the contents of a leaked database are not enough to use a link."""
    person = await make_user()
    raw = await link_for(person)
    row = await db.fetch_one(sa.select(link_rows))

    for value in row:
        assert raw.partition(".")[2] not in str(value)
        assert await password_reset.find(f"{row.id}.{value}", db.utcnow()) is None
