"""The e-mails about accounts: who gets one, what it says, and what it never contains."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import email_links
from app.auth.accounts import emails, password_reset, signup
from app.auth.models import link_rows, user_rows
from app.auth.sessions import rotation
from app.email import outbox
from app.email.messages import Message
from app.email.models import email_rows
from app.web import client
from tests.support.clock import Clock
from tests.support.environment import ORIGIN
from tests.support.mailbox import delivered, emails_to, link_in
from tests.support.people import PASSWORD, make_user, start_session

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

EMAIL = "joan@example.com"
NAME = "Win money at evil.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"


def browser(user_agent: str = FIREFOX, ip: str = "203.0.113.7") -> Any:
    """Run the code as a request of this browser: `with browser(SAFARI): ...`."""
    return client.of({"client": (ip, 50000), "headers": [(b"user-agent", user_agent.encode())]})


async def registers(email: str = EMAIL, password: str = PASSWORD) -> None:
    with browser():
        await signup.request(email, NAME, password)


async def only(address: str) -> Message:
    (message,) = await emails_to(address)
    return message


def token_in(message: Message) -> str:
    return link_in(message).partition("?token=")[2]


async def dropped() -> list[str]:
    return [row.kind for row in await db.fetch_all(sa.select(email_rows).where(email_rows.c.dropped_at.is_not(None)))]


async def test_registration_is_answered_with_a_link_that_confirms_it() -> None:
    await registers()

    message = await only(EMAIL)

    assert message.subject == "Confirm your address"
    assert link_in(message).startswith("/verify-email?token=")
    assert await signup.confirm(token_in(message)) is signup.Outcome.CONFIRMED


async def test_taken_address_gets_word_of_its_account_and_the_registration_is_void() -> None:
    person = await make_user(email="Joan@Example.com")
    await registers()
    row = await signup.newest(EMAIL, db.utcnow())

    message = await only(person.email)

    assert message.subject == "You already have an account"
    assert "token" not in message.text
    assert {f"{ORIGIN}/login", f"{ORIGIN}/forgot-password"} < set(message.text.split("\n"))
    assert await signup.find(email_links.token(row), db.utcnow()) is None


@pytest.mark.parametrize("taken", [False, True])
async def test_email_to_an_unconfirmed_address_contains_no_text_of_the_visitor(taken: bool) -> None:
    """Otherwise anybody could send advertisements through the site (AC-185)."""
    if taken:
        await make_user(email=EMAIL)
    with browser("Win money at evil.example Firefox/1"):
        await signup.request(EMAIL, NAME, PASSWORD)

    message = await only(EMAIL)

    for part in (message.subject, message.text, message.html):
        assert "money" not in part
        assert "evil" not in part
        assert PASSWORD not in part


async def test_email_says_when_and_from_where_it_was_requested(clock: Clock) -> None:
    clock.now = clock.now.replace(year=2031, month=3, day=5, hour=7, minute=9)
    await registers()

    message = await only(EMAIL)

    assert "Requested on 5 March 2031, 07:09 UTC from Firefox on Linux, IP address 203.0.113.7." in message.text


async def test_expired_or_confirmed_registration_gets_no_email(clock: Clock) -> None:
    await registers()
    clock.forward(hours=24)

    assert await emails_to(EMAIL) == []
    assert await dropped() == ["register"]


async def test_email_is_composed_the_same_after_a_failed_attempt() -> None:
    await registers()
    (row,) = await outbox.claim(db.utcnow(), 1)

    first, second = await emails.COMPOSERS["register"](row), await emails.COMPOSERS["register"](row)

    assert first == second
    assert first


async def test_word_of_an_account_is_written_again_too_when_it_did_not_go_out() -> None:
    await make_user(email=EMAIL)
    await registers()
    (row,) = await outbox.claim(db.utcnow(), 1)

    first, second = await emails.COMPOSERS["register"](row), await emails.COMPOSERS["register"](row)

    assert first == second
    assert first
    assert first.subject == "You already have an account"


async def test_confirmation_sent_again_holds_the_link_of_the_newest_registration() -> None:
    await registers(password="the passphrase of yesterday")
    await registers()
    await signup.resend(EMAIL.upper())

    first, second, again = await delivered()

    assert again.recipient == EMAIL
    assert link_in(again) == link_in(second) != link_in(first)


async def test_confirmation_is_sent_again_only_to_who_waits_for_it(clock: Clock) -> None:
    await make_user(email="member@example.com")
    await registers()
    await emails_to(EMAIL)
    clock.forward(hours=24)
    for email in ("member@example.com", "nobody@example.com", EMAIL):
        await signup.resend(email)

    assert len(await delivered()) == 1
    assert await dropped() == ["resend"] * 3


async def test_forgotten_password_is_answered_with_a_link_that_replaces_it() -> None:
    person = await make_user()
    with browser(SAFARI):
        await password_reset.request(person.email)

    message = await only(person.email)

    assert message.subject == "Choose a new password"
    assert "Safari on iPhone, IP address 203.0.113.7" in message.text
    assert await password_reset.reset(token_in(message), "a brand new passphrase")


async def test_audit_log_has_the_requester_of_the_link_though_the_email_was_composed_later() -> None:
    person = await make_user()
    with browser(SAFARI):
        await password_reset.request(person.email)
    await delivered()

    asked = sa.select(event_rows).where(event_rows.c.event == events.PASSWORD_RESET_REQUESTED)
    row = await db.fetch_one(asked)

    assert (row.user_id, row.actor_id, row.ip, row.user_agent) == (person.id, None, "203.0.113.7", SAFARI)


async def test_password_reset_of_an_unknown_or_inactive_account_sends_no_email() -> None:
    """The same for a pending registration: it is no account."""
    closed = await make_user(active=False)
    await registers()
    await emails_to(EMAIL)
    for email in (closed.email, "nobody@example.com", EMAIL):
        await password_reset.request(email)

    assert len(await delivered()) == 1
    assert await dropped() == ["forgot"] * 3
    assert [row.purpose for row in await db.fetch_all(sa.select(link_rows))] == [email_links.REGISTER]


async def test_link_goes_to_the_address_of_the_account_and_to_no_other() -> None:
    """CVE-2019-19844: an address that only looks the same may belong to another person."""
    person = await make_user(email="Mike@Example.org")
    await password_reset.request("mi\u212ae@example.org")
    assert await delivered() == []
    await password_reset.request("mike@example.org")

    assert [message.recipient for message in await delivered()] == [person.email]


async def test_email_sent_twice_contains_one_link_and_is_one_event() -> None:
    person = await make_user()
    await password_reset.request(person.email)
    (row,) = await outbox.claim(db.utcnow(), 1)

    first, second = await emails.COMPOSERS["forgot"](row), await emails.COMPOSERS["forgot"](row)

    assert first == second
    assert len(await db.fetch_all(sa.select(event_rows))) == 1


async def test_email_whose_link_was_used_is_not_composed_again() -> None:
    person = await make_user()
    await password_reset.request(person.email)
    (row,) = await outbox.claim(db.utcnow(), 1)
    message = await emails.COMPOSERS["forgot"](row)
    assert message
    await password_reset.reset(token_in(message), "a brand new passphrase")

    assert await emails.COMPOSERS["forgot"](row) is None


async def test_owner_hears_of_a_new_password() -> None:
    """v5.0.0-6.3.7"""
    person = await make_user()
    made = await password_reset.make_link(person.email, db.uuid7(), client.Client())
    assert made
    with browser(SAFARI):
        await password_reset.reset(email_links.token(made[1]), "a brand new passphrase")

    message = await only(person.email)

    assert message.subject == "Your password was changed"
    assert "from Safari on iPhone, IP address 203.0.113.7" in message.text
    assert "passphrase" not in message.text


async def test_owner_hears_that_an_old_token_came_back_and_of_the_innocent_cause(clock: Clock) -> None:
    """AC-059"""
    person = await make_user()
    old = (await start_session(person)).refresh_token
    rotated = await rotation.rotate(old)
    assert isinstance(rotated, rotation.Rotated)
    await rotation.rotate(rotated.pair.refresh_token)
    clock.forward(minutes=10)
    with browser(SAFARI):
        for _ in range(2):
            assert isinstance(await rotation.rotate(old), rotation.Rejected)

    message = await only(person.email)

    assert message.subject == "We ended one of your sessions"
    assert "from Safari on iPhone, IP address 203.0.113.7" in message.text
    assert "This can be harmless" in message.text


async def test_email_goes_to_the_current_address_of_the_account() -> None:
    person = await make_user()
    async with db.transaction() as tx:
        await outbox.enqueue(tx, "new_device", user_id=person.id)
    now = {"email": "new@example.com", "email_key": "new@example.com"}
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(now))

    assert [message.recipient for message in await delivered()] == ["new@example.com"]


async def test_deleted_account_gets_no_email() -> None:
    async with db.transaction() as tx:
        await outbox.enqueue(tx, "new_device", user_id=db.uuid7())

    assert await delivered() == []


@pytest.mark.parametrize("kind", ["password_changed", "new_device", "session_reused"])
async def test_email_without_facts_of_a_request_is_composed(kind: str) -> None:
    """From a command, for example: no browser and no IP address."""
    person = await make_user()
    async with db.transaction() as tx:
        await outbox.enqueue(tx, kind, user_id=person.id)

    assert "from an unknown device, IP address unknown" in (await only(person.email)).text


async def test_links_in_emails_lead_to_this_site_only() -> None:
    """AC-163: the origin in links comes from the settings, never from a request."""
    person = await make_user()
    await registers()
    await registers(person.email)
    await password_reset.request(person.email)
    async with db.transaction() as tx:
        for kind in ("password_changed", "new_device", "session_reused"):
            await outbox.enqueue(tx, kind, user_id=person.id)

    messages = await delivered()

    assert len(messages) == 6
    for message in messages:
        assert set(re.findall(r"https?://[^/\s]+", message.text)) == {ORIGIN}
