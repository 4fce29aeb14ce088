"""Registrations: no account before the link is used, one account however often, and nothing to gain for others."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import email_links, passwords
from app.auth.accounts import login_flow, signup
from app.auth.accounts.signup import Outcome
from app.auth.models import counter_rows, link_rows, user_rows
from app.auth.rate_limit import attempts
from app.email.models import email_rows
from tests.support.clock import Clock
from tests.support.people import PASSWORD, make_user
from tests.support.statements import sent, spoken

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]

EMAIL = "joan@example.com"
ATTACKERS = "an attacker's own passphrase"


async def registered(email: str = EMAIL, password: str = PASSWORD, name: str = "Joan Example") -> str:
    """The token that the e-mail of a new registration will contain."""
    await signup.request(email, name, password)
    return email_links.token(await signup.newest(email, db.utcnow()))


async def users() -> list[Any]:
    return await db.fetch_all(sa.select(user_rows))


# v5.0.0-2.3.1
async def test_registration_alone_is_no_account() -> None:
    await registered()

    assert await users() == []
    assert await login_flow.login(EMAIL, PASSWORD) is None


async def test_click_makes_the_account_with_the_password_that_was_chosen() -> None:
    assert await signup.confirm(await registered("Joan@Example.COM")) is Outcome.CONFIRMED

    (user,) = await users()
    assert (user.email, user.email_key, user.name, user.role, user.is_active) == (
        "Joan@Example.COM", EMAIL, "Joan Example", "user", True,
    )  # fmt: skip
    assert (await passwords.verify(PASSWORD, user.password)).ok
    assert await login_flow.login(EMAIL, PASSWORD)
    recorded = await db.fetch_all(sa.select(event_rows).where(event_rows.c.event == events.REGISTERED))
    assert [(row.user_id, row.actor_id) for row in recorded] == [(user.id, user.id)]


async def test_looking_at_the_link_changes_nothing() -> None:
    """Mail scanners open links."""
    raw = await registered()

    for _ in range(3):
        found = await signup.find(raw, db.utcnow())
        assert found
        assert (found.row.email, found.needs_password) == (EMAIL, False)

    assert await users() == []
    assert await signup.confirm(raw) is Outcome.CONFIRMED


async def test_link_is_good_once() -> None:
    raw = await registered()
    await signup.confirm(raw)

    assert await signup.confirm(raw) is Outcome.GONE
    assert await signup.find(raw, db.utcnow()) is None


@pytest.mark.race
async def test_twenty_clicks_at_once_make_one_account() -> None:
    """AC-036"""
    raw = await registered()

    outcomes = await asyncio.gather(*(signup.confirm(raw) for _ in range(20)))

    assert outcomes.count(Outcome.CONFIRMED) == 1
    assert outcomes.count(Outcome.GONE) == 19
    assert len(await users()) == 1
    assert len(await db.fetch_all(sa.select(event_rows).where(event_rows.c.event == events.REGISTERED))) == 1


@pytest.mark.race
async def test_three_registrations_of_one_address_confirmed_at_once_make_one_account() -> None:
    """And no deadlock occurs."""
    chosen = {f"{PASSWORD} {number}": "" for number in range(3)}
    for password in chosen:
        chosen[password] = await registered(password=password)

    outcomes = await asyncio.gather(*(signup.confirm(raw, own) for own, raw in chosen.items() for _ in range(4)))

    assert outcomes.count(Outcome.CONFIRMED) == 1
    assert len(await users()) == 1


async def test_link_is_over_after_a_day(clock: Clock) -> None:
    raw = await registered()
    clock.forward(hours=24)

    assert await signup.confirm(raw) is Outcome.GONE
    assert await users() == []


async def test_first_registration_confirmed_wins_and_the_others_are_void() -> None:
    theirs, ours = await registered(password=ATTACKERS), await registered()

    assert await signup.confirm(ours, PASSWORD) is Outcome.CONFIRMED

    assert await signup.find(theirs, db.utcnow()) is None
    assert await signup.confirm(theirs, ATTACKERS) is Outcome.GONE
    assert await login_flow.login(EMAIL, ATTACKERS) is None
    assert await login_flow.login(EMAIL, PASSWORD)


@pytest.mark.parametrize("typed", ["", PASSWORD])
async def test_mailbox_owner_cannot_confirm_another_persons_registration_by_mistake(typed: str) -> None:
    """Pre-hijacking: the owner's address with another person's password. Both e-mails are in one mailbox."""
    theirs, ours = await registered(password=ATTACKERS), await registered()

    assert await signup.confirm(theirs, typed) is Outcome.NOT_YOURS

    assert await users() == []
    assert await signup.confirm(ours, PASSWORD) is Outcome.CONFIRMED


async def test_registration_that_came_later_needs_its_password_too() -> None:
    ours, theirs = await registered(), await registered(password=ATTACKERS)

    for raw in (ours, theirs):
        found = await signup.find(raw, db.utcnow())
        assert found
        assert found.needs_password


async def test_registration_of_another_address_or_one_that_is_over_is_no_rival(clock: Clock) -> None:
    await registered(password=ATTACKERS)
    clock.forward(hours=24)
    raw = await registered()
    await registered("joan+notes@example.com", ATTACKERS)

    assert await signup.confirm(raw) is Outcome.CONFIRMED


async def test_password_of_a_registration_is_not_guessed_for_ever(clock: Clock) -> None:
    theirs = await registered(password=ATTACKERS)
    await registered()
    for number in range(10):
        assert await signup.confirm(theirs, f"wrong horse {number}") is Outcome.NOT_YOURS

    with pytest.raises(attempts.TooManyAttempts):
        await signup.confirm(theirs, ATTACKERS)


# v5.0.0-2.3.3
async def test_address_that_got_an_account_meanwhile_is_left_alone() -> None:
    raw = await registered()
    person = await make_user(email=EMAIL)

    assert await signup.confirm(raw) is Outcome.GONE

    assert [user.id for user in await users()] == [person.id]
    assert await login_flow.login(EMAIL, PASSWORD)


# v5.0.0-6.3.8
async def test_free_and_taken_address_run_the_same_statements() -> None:
    """v5.0.0-6.3.8: no query of the request looks up the account."""
    await make_user(email="taken@example.com")
    await registered("warm-up@example.com")
    seen = []
    for email in ("taken@example.com", "free@example.com"):
        with sent() as run:
            await signup.request(email, "Joan", PASSWORD)
            await signup.resend(email)
        seen.append(spoken(run))

    assert seen[0] == seen[1]
    assert not any("FROM users" in one for one in seen[0])


async def test_mailbox_gets_three_of_each_email_in_six_hours(clock: Clock) -> None:
    """AC-042; registrations over the limit are not stored."""
    for _ in range(10):
        await signup.request(EMAIL, "Joan", PASSWORD)
        await signup.resend(EMAIL.upper())
        clock.forward(minutes=30)
    assert len(await db.fetch_all(sa.select(email_rows))) == 6
    assert len(await db.fetch_all(sa.select(link_rows))) == 3

    clock.forward(hours=1)
    await signup.resend(EMAIL)

    assert len(await db.fetch_all(sa.select(email_rows))) == 7


async def test_plus_addresses_of_one_mailbox_share_its_quota(clock: Clock) -> None:
    for number in range(5):
        await signup.request(f"joan+{number}@example.com", "Joan", PASSWORD)
        await signup.resend(f"Joan+tag+{number}@EXAMPLE.com")
    await signup.request(EMAIL, "Joan", PASSWORD)
    assert len(await db.fetch_all(sa.select(email_rows))) == 6

    await signup.request("other+1@example.com", "Joan", PASSWORD)
    await signup.request("joan+1@other.example.com", "Joan", PASSWORD)

    assert len(await db.fetch_all(sa.select(email_rows))) == 8


async def test_one_network_causes_at_most_twenty_emails_an_hour(clock: Clock) -> None:
    for number in range(20):
        await signup.request(f"person{number}@example.com", "Joan", PASSWORD)

    with pytest.raises(attempts.TooManyAttempts) as refused:
        await signup.resend("another@example.com")

    assert refused.value.seconds == 3600
    clock.forward(hours=1)
    await signup.resend("another@example.com")
    assert len(await db.fetch_all(sa.select(email_rows))) == 21


async def test_refused_request_does_not_use_up_the_share_of_a_mailbox(clock: Clock) -> None:
    for number in range(30):
        try:
            await signup.resend(f"person{number // 20}@example.com")
        except attempts.TooManyAttempts:
            assert number >= 20
    clock.forward(hours=1)

    await signup.resend("person1@example.com")

    assert len(await db.fetch_all(sa.select(email_rows))) == 4


async def test_unconfirmed_registrations_are_deleted(clock: Clock) -> None:
    """v5.0.0-14.2.7: names, addresses and passwords of people who never got an account."""
    await registered()
    await signup.confirm(await registered("other@example.com"))
    async with db.transaction() as tx:
        await signup.void(tx, login_flow.email_key("joan@example.com"), clock.now)
    assert await email_links.prune(clock.now) == 1

    clock.forward(hours=24)
    assert (
        await email_links.prune(clock.now) == 1
    )  # of the one that was confirmed a name and a password were left no longer

    assert await db.fetch_all(sa.select(link_rows)) == []


async def test_counters_of_emails_contain_no_address() -> None:
    await registered()

    assert "joan" not in str(await db.fetch_all(sa.select(counter_rows)))
