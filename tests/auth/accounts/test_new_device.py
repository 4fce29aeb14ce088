"""Whose sign-in its owner gets an e-mail about: on any device but one that the account knows."""

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.accounts import login_flow
from app.auth.models import session_rows
from app.web import client
from tests.support.clock import Clock
from tests.support.mailbox import delivered
from tests.support.people import PASSWORD, make_user
from tests.support.statements import sent

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
FIREFOX_129 = FIREFOX.replace("128.0", "129.0")
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"
NEW_DEVICE = "A sign-in on a new device"
HERE = "203.0.113.7"


async def logs_in(email: str, user_agent: str, device: str, ip: str = HERE, path: str = "/login") -> None:
    with client.of({"client": (ip, 50000), "headers": [(b"user-agent", user_agent.encode())], "path": path}):
        assert await login_flow.login(email, PASSWORD, device=device)


async def runs(email: str, user_agent: str = "backup/2.1", ip: str = HERE) -> None:
    """A program, which brings no cookie."""
    await logs_in(email, user_agent, "", ip, "/api/auth/login")


async def subjects() -> list[str]:
    return [message.subject for message in await delivered()]


async def test_owner_hears_of_a_sign_in_on_an_unknown_device() -> None:
    """v5.0.0-6.3.5"""
    person = await make_user()
    await logs_in(person.email, FIREFOX, "desktop")
    await logs_in(person.email, SAFARI, "phone")

    (message,) = await delivered()

    assert (message.recipient, message.subject) == (person.email, NEW_DEVICE)
    assert "from Safari on iPhone, IP address 203.0.113.7" in message.text
    seen = await db.fetch_all(sa.select(event_rows).where(event_rows.c.event == events.NEW_DEVICE))
    assert [row.user_id for row in seen] == [person.id]


async def test_browser_of_the_same_name_at_the_same_address_is_another_device() -> None:
    """v5.0.0-6.3.5: an attacker can copy what a browser says it is, and sit next to its owner."""
    person = await make_user()
    await logs_in(person.email, FIREFOX, "the owner's")
    await logs_in(person.email, FIREFOX, "the attacker's")

    assert await subjects() == [NEW_DEVICE]


async def test_first_sign_in_and_a_known_device_under_another_name_are_no_news() -> None:
    person = await make_user()
    for user_agent, ip in ((FIREFOX, HERE), (FIREFOX_129, HERE), (SAFARI, "198.51.100.7")):
        await logs_in(person.email, user_agent, "the owner's", ip)

    assert await delivered() == []


async def test_sign_in_is_news_though_no_session_of_the_account_is_left() -> None:
    """Maintenance deletes old sessions: that must not make an attacker's the first."""
    person = await make_user()
    await logs_in(person.email, FIREFOX, "the owner's")
    await db.execute(sa.delete(session_rows))

    await logs_in(person.email, FIREFOX, "the attacker's")

    assert await subjects() == [NEW_DEVICE]


async def test_known_device_is_known_without_reading_the_sessions_of_the_account() -> None:
    person = await make_user()
    await logs_in(person.email, FIREFOX, "the owner's")

    with sent() as seen:
        await logs_in(person.email, FIREFOX, "the owner's")

    assert not [sql for sql, _ in seen if sql.startswith("SELECT sessions")]


async def test_device_without_a_sign_in_for_sixty_days_is_new_again(clock: Clock) -> None:
    person = await make_user()
    await logs_in(person.email, FIREFOX, "the owner's")
    clock.forward(days=59)
    await logs_in(person.email, FIREFOX, "the owner's")
    assert await delivered() == []

    clock.forward(days=60)
    await logs_in(person.email, FIREFOX, "the owner's")

    assert await subjects() == [NEW_DEVICE]


async def test_program_is_known_by_its_network_and_its_name() -> None:
    person = await make_user()
    await runs(person.email)
    await runs(person.email, "backup/2.2")
    await runs(person.email, ip="2001:db8:0:1::1")
    await runs(person.email, ip="2001:db8:0:2::1")
    assert await subjects() == [NEW_DEVICE]

    await runs(person.email, ip="198.51.100.7")
    await runs(person.email, "curl/8.5")

    assert await subjects() == [NEW_DEVICE] * 3


async def test_program_that_uses_the_name_of_the_owners_browser_is_a_new_device() -> None:
    person = await make_user()
    await logs_in(person.email, FIREFOX, "the owner's")

    await runs(person.email, FIREFOX)

    assert await subjects() == [NEW_DEVICE]


async def test_program_that_has_not_signed_in_for_sixty_days_is_new_again(clock: Clock) -> None:
    person = await make_user()
    await runs(person.email)
    clock.forward(days=60)

    await runs(person.email)

    assert await subjects() == [NEW_DEVICE]


async def test_wrong_password_on_an_unknown_device_sends_no_email() -> None:
    person = await make_user()
    await logs_in(person.email, FIREFOX, "desktop")
    assert await login_flow.login(person.email, "wrong horse battery staple", device="phone") is None

    assert await delivered() == []


async def test_devices_of_others_are_not_known() -> None:
    person, other = await make_user(), await make_user()
    await logs_in(person.email, FIREFOX, "desktop")
    await logs_in(other.email, SAFARI, "phone")

    await logs_in(person.email, SAFARI, "phone")

    assert [message.recipient for message in await delivered()] == [person.email]
