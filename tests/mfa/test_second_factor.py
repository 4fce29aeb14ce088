"""The second step of signing in: what it stops, and that nobody gets round it."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, keys, mfa_ticket, passwords, tokens
from app.auth.accounts import login_flow, password_change, password_reset, user_admin
from app.auth.accounts.user_admin import Outcome
from app.auth.errors import TooManyAttempts
from app.auth.models import user_rows
from app.mfa import re_encryption, second_factor
from app.mfa.models import authenticator_rows, recovery_rows
from app.settings import get_settings
from tests.support.account_state import happened, live
from tests.support.clock import Clock
from tests.support.mailbox import emails_to
from tests.support.people import PASSWORD, Person, make_user
from tests.support.phone import with_a_phone

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]
NEW = "quite another long passphrase"


async def ticket_of(person: Person, password: str = PASSWORD) -> str:
    half = await login_flow.login(person.email, password)
    assert isinstance(half, login_flow.PendingLogin)
    return half.ticket


# v5.0.0-6.3.3
async def test_password_alone_opens_no_session(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    before = await db.fetch_value(sa.select(user_rows.c.last_login).where(user_rows.c.id == person.id))

    half = await login_flow.login(person.email, PASSWORD)

    assert isinstance(half, login_flow.PendingLogin)
    assert await live(person) == 1  # of the user who turned it on
    assert await db.fetch_value(sa.select(user_rows.c.last_login).where(user_rows.c.id == person.id)) == before
    clock.forward(seconds=30)
    signed_in = await second_factor.sign_in(half.ticket, phone.shows(clock.now))
    assert signed_in
    assert tokens.read(signed_in.pair.access_token, "access", clock.now)
    assert await live(person) == 2


async def test_wrong_password_is_answered_as_ever() -> None:
    person = await make_user()
    await with_a_phone(person)

    assert await login_flow.login(person.email, NEW) is None


# v5.0.0-6.5.1
async def test_code_is_good_once(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)

    assert await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now)) is None  # turned it on
    clock.forward(seconds=30)
    code = phone.shows(clock.now)
    assert await second_factor.sign_in(await ticket_of(person), code)
    assert await second_factor.sign_in(await ticket_of(person), code) is None
    assert await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now, seconds=-30)) is None


# v5.0.0-2.3.4
async def test_ticket_is_good_once(clock: Clock) -> None:
    """A wrong code leaves it as it is; after a good one nothing else that it brings is looked at."""
    person = await make_user()
    phone = await with_a_phone(person)
    ticket = await ticket_of(person)
    clock.forward(seconds=30)

    assert await second_factor.sign_in(ticket, phone.never_shows(clock.now)) is None
    assert await second_factor.sign_in(ticket, phone.shows(clock.now))

    for code in (phone.recovery_codes[0], phone.shows(clock.now, seconds=30), phone.never_shows(clock.now)):
        with pytest.raises(second_factor.TicketExpired):
            await second_factor.sign_in(ticket, code)
    assert await live(person) == 2
    assert (await happened(person)).count(events.SECOND_FACTOR_FAILED) == 1
    assert await second_factor.recovery_codes_left(person.id) == 10


# v5.0.0-2.3.4, v5.0.0-15.4.2
@pytest.mark.race
async def test_one_code_at_once_in_many_places_signs_in_once(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    each_their_own = [await ticket_of(person) for _ in range(8)]
    clock.forward(seconds=30)

    outcomes = await asyncio.gather(
        *(second_factor.sign_in(ticket, phone.shows(clock.now)) for ticket in each_their_own), return_exceptions=True
    )

    assert sum(isinstance(outcome, login_flow.Login) for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, login_flow.Login | TooManyAttempts) for outcome in outcomes)
    assert await live(person) == 2


@pytest.mark.race
async def test_one_recovery_code_at_once_in_many_places_signs_in_once() -> None:
    """v5.0.0-6.5.1"""
    person = await make_user()
    phone = await with_a_phone(person)
    each_their_own = [await ticket_of(person) for _ in range(8)]

    outcomes = await asyncio.gather(
        *(second_factor.sign_in(ticket, phone.recovery_codes[0]) for ticket in each_their_own), return_exceptions=True
    )

    assert sum(isinstance(outcome, login_flow.Login) for outcome in outcomes) == 1
    assert await second_factor.recovery_codes_left(person.id) == 9


# v5.0.0-6.5.5
@pytest.mark.parametrize(("seconds", "good"), [(-60, False), (-30, True), (30, True), (60, False)])
async def test_clock_of_the_phone_may_be_one_step_off(clock: Clock, seconds: int, good: bool) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(minutes=5)

    signed_in = await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now, seconds=seconds))

    assert (signed_in is not None) is good


# v5.0.0-6.5.8
async def test_time_is_the_databases(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(minutes=5)
    ticket = await ticket_of(person)
    clock.set_worker_apart(minutes=3)

    assert await second_factor.sign_in(ticket, phone.shows(db.utcnow())) is None
    assert await second_factor.sign_in(ticket, phone.shows(clock.now))


async def test_ticket_is_over_after_five_minutes(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    ticket = await ticket_of(person)
    clock.forward(seconds=mfa_ticket.SECONDS)

    with pytest.raises(second_factor.TicketExpired):
        await second_factor.sign_in(ticket, phone.shows(clock.now))


async def test_ticket_dies_with_the_password(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    ticket = await ticket_of(person)
    token: Any = tokens.read(phone.pair.access_token if phone.pair else "", "access", clock.now)
    assert not isinstance(await password_change.change_password(person.id, token.sid, PASSWORD, NEW), dict)
    clock.forward(seconds=30)

    with pytest.raises(second_factor.TicketExpired):
        await second_factor.sign_in(ticket, phone.shows(clock.now))


async def test_ticket_of_another_account_or_a_changed_one_is_none(clock: Clock) -> None:
    person, other = await make_user(), await make_user()
    phone, _ = await with_a_phone(person), await with_a_phone(other)
    ticket, theirs = await ticket_of(person), await ticket_of(other)
    clock.forward(seconds=30)
    own, nonce, ends, mac = ticket.split(".")
    forged = [
        "", "x", "..", own, f"{own}.{nonce}", f"{own}.{nonce}.{ends}", f"{own}.{nonce}.{ends}.",
        f"{own}.{ends}.{mac}", f"{own}.{nonce}.{int(ends) + 1}.{mac}", f"{own}.{nonce}.{ends}.{mac}A",
        f"{own}.{nonce}A.{ends}.{mac}", f"{own}.{theirs.partition('.')[2]}", f"{own}.{nonce}.\u0661\u0662.{mac}",
        f"{own}.{nonce}.{'9' * 400}.{mac}", f"{other.id}.{nonce}.{ends}.{mac}", f"{own}.{nonce}.{ends}.{mac}.",
        f"{own}.{nonce}.-1.{mac}",
    ]  # fmt: skip

    for each in forged:
        with pytest.raises(second_factor.TicketExpired):
            await second_factor.sign_in(each, phone.shows(clock.now))
    assert await live(person) == 1


# v5.0.0-6.4.3
async def test_mailed_link_does_not_get_round_it(clock: Clock) -> None:
    """Once it is a week old; a younger one may be an attacker's, see tests/auth/test_recovery."""
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(days=7)
    encoded = await db.fetch_value(sa.select(user_rows.c.password).where(user_rows.c.id == person.id))
    async with db.transaction() as tx:
        values = {"user_id": person.id, "fingerprint": passwords.fingerprint(encoded)}
        link = await email_links.make(tx, email_links.RESET, clock.now, **values)

    assert await password_reset.reset(email_links.token(link), NEW)

    clock.forward(seconds=30)
    assert await second_factor.sign_in(await ticket_of(person, NEW), phone.shows(clock.now))


async def test_five_wrong_codes_and_even_the_right_one_has_to_wait(clock: Clock) -> None:
    """v5.0.0-6.3.1"""
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(minutes=1)
    ticket = await ticket_of(person)
    for _ in range(5):
        assert await second_factor.sign_in(ticket, phone.never_shows(clock.now)) is None

    with pytest.raises(TooManyAttempts):
        await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now))
    with pytest.raises(TooManyAttempts):
        await second_factor.sign_in(ticket, phone.recovery_codes[0])

    clock.forward(minutes=15)
    assert await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now))


# v5.0.0-6.3.5
async def test_owner_gets_one_email_about_a_known_password(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    ticket = await ticket_of(person)
    for _ in range(5):
        await second_factor.sign_in(ticket, phone.never_shows(clock.now))
    with pytest.raises(TooManyAttempts):
        await second_factor.sign_in(ticket, phone.never_shows(clock.now))

    email_messages = [
        email_message
        for email_message in await emails_to(person.email)
        if email_message.subject == "Somebody has your password"
    ]

    assert len(email_messages) == 1
    assert (await happened(person)).count(events.SECOND_FACTOR_FAILED) == 5


@pytest.mark.race
async def test_guesses_sent_at_once_are_no_more_than_five(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(minutes=1)
    ticket = await ticket_of(person)
    guesses = [phone.never_shows(clock.now)] * 29 + [phone.shows(clock.now)]

    outcomes = await asyncio.gather(*(second_factor.sign_in(ticket, code) for code in guesses), return_exceptions=True)

    assert sum(outcome is None for outcome in outcomes) <= 5


# v5.0.0-6.5.2
async def test_nothing_in_the_database_signs_anybody_in() -> None:
    person = await make_user()
    phone = await with_a_phone(person)

    deletion_cancelled = [
        tuple(row) for table in (authenticator_rows, recovery_rows) for row in await db.fetch_all(sa.select(table))
    ]

    assert len(deletion_cancelled) == 11
    text = repr(deletion_cancelled)
    assert phone.secret not in text
    assert not any(code in text or code.replace("-", "") in text for code in phone.recovery_codes)


# v5.0.0-11.3.2, v5.0.0-11.3.3
async def test_secret_moved_to_another_account_cannot_be_read(clock: Clock) -> None:
    """An attacker who can write to the table cannot make an account trust their own phone."""
    person, attacker = await make_user(), await make_user()
    await with_a_phone(person)
    phone = await with_a_phone(attacker)
    table = authenticator_rows
    stolen = await db.fetch_value(sa.select(table.c.secret).where(table.c.user_id == attacker.id))
    await db.execute(sa.update(table).where(table.c.user_id == person.id).values(secret=stolen))
    clock.forward(seconds=30)

    assert await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now)) is None
    assert await second_factor.sign_in(await ticket_of(attacker), phone.shows(clock.now))


# v5.0.0-11.3.4
async def test_secret_is_written_differently_each_time() -> None:
    written = {keys.encrypt("x", "secret", of="me") for _ in range(100)}

    assert len(written) == 100
    assert {keys.decrypt("x", each, of="me") for each in written} == {"secret"}


@pytest.mark.parametrize(
    "changed", ["", ".", "x.y", "{name}.", "{name}.AAAA", "{name}.{text}A", "{name}.A{text}", "{text}"]
)
def test_what_was_changed_is_not_read(changed: str) -> None:
    name, _, text = keys.encrypt("x", "secret", of="me").partition(".")

    assert keys.decrypt("x", changed.format(name=name, text=text), of="me") is None
    assert keys.decrypt("y", f"{name}.{text}", of="me") is None
    assert keys.decrypt("x", f"{name}.{text}", of="you") is None


async def test_new_secret_of_the_site_takes_the_old_ones_work_over(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    settings = get_settings()
    old = settings.secret_key
    monkeypatch.setattr(settings, "secret_key", "another secret of more than thirty-two random bytes")
    monkeypatch.setattr(settings, "verifying_secret_keys", old)
    clock.forward(seconds=30)
    assert await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now))

    assert await re_encryption.re_encrypt() == 1
    assert await re_encryption.re_encrypt() == 0

    monkeypatch.setattr(settings, "verifying_secret_keys", "")
    clock.forward(seconds=30)
    assert await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now))


async def test_unreadable_secret_leaves_the_recovery_codes_valid(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    monkeypatch.setattr(get_settings(), "secret_key", "another secret of more than thirty-two random bytes")
    clock.forward(seconds=30)

    assert await re_encryption.re_encrypt() == 0
    assert await second_factor.sign_in(await ticket_of(person), phone.shows(clock.now)) is None
    assert await second_factor.sign_in(await ticket_of(person), phone.recovery_codes[0])
    assert "factor_unreadable" in [line["event"] for line in logged]


# v5.0.0-6.4.4
async def test_recovery_code_signs_in_once_and_the_owner_gets_an_email() -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    typed = f" {phone.recovery_codes[3].upper().replace('-', ' ')} "

    assert await second_factor.sign_in(await ticket_of(person), typed)
    assert await second_factor.sign_in(await ticket_of(person), typed) is None

    assert await second_factor.recovery_codes_left(person.id) == 9
    assert "Recovery code used" in [each.subject for each in await emails_to(person.email)]


async def test_recovery_code_of_another_account_is_refused() -> None:
    person, other = await make_user(), await make_user()
    await with_a_phone(person)
    phone = await with_a_phone(other)

    assert await second_factor.sign_in(await ticket_of(person), phone.recovery_codes[0]) is None
    assert await second_factor.recovery_codes_left(other.id) == 10


async def test_admin_turns_it_off_for_a_user_who_lost_all_factors() -> None:
    person, admin, other = await make_user(), await make_user(role="admin"), await make_user()
    await with_a_phone(person)

    assert await second_factor.remove(person.id, other.id) is Outcome.FORBIDDEN
    assert await second_factor.remove(admin.id, admin.id) is Outcome.YOURSELF
    assert await second_factor.remove(person.id, admin.id) is Outcome.DONE
    assert await second_factor.remove(person.id, admin.id) is Outcome.NOTHING

    assert isinstance(await login_flow.login(person.email, PASSWORD), login_flow.Login)
    assert "Two-factor authentication is off" in [
        email_message.subject for email_message in await emails_to(person.email)
    ]
    assert events.SECOND_FACTOR_REMOVED in await happened(person)


async def test_deactivated_account_is_closed_to_its_ticket_too(clock: Clock) -> None:
    person, admin = await make_user(), await make_user(role="admin")
    phone = await with_a_phone(person)
    ticket = await ticket_of(person)
    await user_admin.change(person.id, admin.id, is_active=False)
    clock.forward(seconds=30)

    assert await second_factor.sign_in(ticket, phone.shows(clock.now)) is None
    assert await live(person) == 0


async def test_account_given_up_is_kept_by_both_steps_alone(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    await db.execute(
        sa.update(user_rows).where(user_rows.c.id == person.id).values(delete_after=clock.now.replace(year=2099))
    )

    ticket = await ticket_of(person)
    assert await db.fetch_value(sa.select(user_rows.c.delete_after).where(user_rows.c.id == person.id))
    clock.forward(seconds=30)
    signed_in = await second_factor.sign_in(ticket, phone.shows(clock.now))

    assert signed_in
    assert signed_in.deletion_cancelled


async def test_text_that_cannot_be_a_code_is_not_counted(clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(seconds=30)
    half = await login_flow.login(person.email, PASSWORD)
    assert isinstance(half, login_flow.PendingLogin)

    for typed in ("12345", "1234567", "my code", "a" * 23, "1" * 100_000) * 4:
        assert await second_factor.sign_in(half.ticket, typed) is None

    assert events.SECOND_FACTOR_FAILED not in await happened(person)
    assert await second_factor.sign_in(
        half.ticket, f"1. {phone.shows(clock.now)[:3]}\u2013{phone.shows(clock.now)[3:]}"
    )
