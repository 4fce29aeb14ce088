"""Email change: requested, confirmed, undone."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, passwords
from app.auth.accounts import (
    email_change,
    login_flow,
    logout_flow,
    password_change,
    password_reset,
    profile,
    user_admin,
)
from app.auth.accounts.user_admin import Outcome
from app.auth.errors import TooManyAttempts
from app.auth.models import link_rows, session_rows, user_rows
from app.auth.sessions import rotation
from app.mfa import enrolment, proofs, second_factor
from app.web import client
from tests.support.account_state import announced, ends, happened, open_link, queued, row_of, sid_of
from tests.support.clock import Clock
from tests.support.mailbox import emails_to, link_in
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.phone import with_a_phone

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]

NEW = "wrong zebra paperclip sonata"


async def request_change(person: Person, email: str = "new@example.com") -> UUID:
    """Request a change to that address, signed in as the person. Returns the session."""
    sid = sid_of(await start_session(person))
    assert await email_change.request_email_change(person.id, sid, email, PASSWORD) == {}
    return sid


async def link_to(address: str, subject: str) -> str:
    """The token in the newest e-mail to the address with that subject."""
    found = [message for message in await emails_to(address) if subject in message.subject]
    return link_in(found[-1]).partition("?token=")[2]


async def test_new_address_counts_when_its_mailbox_answers() -> None:
    person = await make_user(name="Robin")
    await start_session(person)
    sid = await request_change(person, "New@Example.com")

    assert (await row_of(person)).email == person.email
    assert await email_change.pending_email(person.id, db.utcnow()) == "New@Example.com"
    token = await link_to("New@Example.com", "Confirm")
    assert (await email_change.confirm_email(token, db.utcnow(), keep=sid)).email == "New@Example.com"

    row = await row_of(person)
    assert (row.email, row.email_key) == ("New@Example.com", "new@example.com")
    assert "new@example.com" in row.search_text
    assert person.email not in row.search_text
    assert await ends(person) == [events.CREDENTIALS_CHANGED, None]
    assert await announced(person)
    assert await email_change.pending_email(person.id, db.utcnow()) is None
    assert [event for event in await happened(person) if event.startswith("email")] == [
        events.EMAIL_CHANGE_REQUESTED,
        events.EMAIL_CHANGED,
    ]


async def test_confirmed_in_a_browser_that_is_not_signed_in_every_session_ends() -> None:
    person = await make_user()
    await request_change(person)

    await email_change.confirm_email(await link_to("new@example.com", "Confirm"), db.utcnow())

    assert await ends(person) == [events.CREDENTIALS_CHANGED]


async def test_session_of_another_account_does_not_stay_as_the_kept_one() -> None:
    person = await make_user()
    await request_change(person)
    another_users = sid_of(await start_session(await make_user()))

    await email_change.confirm_email(await link_to("new@example.com", "Confirm"), db.utcnow(), keep=another_users)

    assert await ends(person) == [events.CREDENTIALS_CHANGED]


# v5.0.0-6.3.7
async def test_old_address_gets_an_email_with_an_undo_link_at_request_and_change() -> None:
    """v5.0.0-6.3.7, AC-040"""
    person = await make_user()
    await request_change(person)

    (told,) = await emails_to(person.email)
    assert told.subject == "Change of your e-mail address requested"
    assert "new@example.com" in told.text
    await email_change.confirm_email(await link_to("new@example.com", "Confirm"), db.utcnow())

    subjects = [message.subject for message in await emails_to(person.email)]
    assert subjects == ["Change of your e-mail address requested", "The e-mail address of your account was changed"]
    assert await email_links.find(await link_to(person.email, "was changed"), email_links.UNDO_EMAIL, db.utcnow())


async def test_email_to_an_unconfirmed_new_address_contains_no_text_of_the_visitor() -> None:
    person = await make_user(name="Buy cheap watches")
    await request_change(person)

    (message,) = await emails_to("new@example.com")

    assert "watches" not in message.text + message.html
    assert person.email not in message.text + message.html


async def test_taken_address_gets_the_same_answer_and_its_owner_an_email_without_a_link() -> None:
    """v5.0.0-6.3.8"""
    person, owner = await make_user(), await make_user(email="taken@example.com")

    await request_change(person, "Taken@example.com")

    assert await email_change.pending_email(person.id, db.utcnow()) == "Taken@example.com"
    (message,) = await emails_to(owner.email)
    assert message.subject == "Your e-mail address was entered for another account"
    assert "token=" not in message.text


async def test_address_that_was_taken_meanwhile_is_not_taken_twice() -> None:
    person = await make_user()
    await request_change(person)
    token = await link_to("new@example.com", "Confirm")
    await make_user(email="new@example.com")

    assert await email_change.confirm_email(token, db.utcnow()) is None

    assert (await row_of(person)).email == person.email
    assert await ends(person) == [None]


async def test_address_that_one_has_is_no_change() -> None:
    person = await make_user(email="robin@example.com")
    sid = sid_of(await start_session(person))

    faults = await email_change.request_email_change(person.id, sid, "ROBIN@example.com", PASSWORD)

    assert faults == {"email": email_change.SAME_ADDRESS}
    assert await queued() == []


async def test_wrong_password_asks_for_no_address() -> None:
    """v5.0.0-7.5.1"""
    person = await make_user()
    sid = sid_of(await start_session(person))

    faults = await email_change.request_email_change(person.id, sid, "new@example.com", "not the right passphrase")

    assert faults == {"current_password": profile.NOT_YOURS}
    assert await queued() == []
    assert await happened(person) == [events.STEP_UP_FAILED]


async def test_only_the_newest_link_to_a_new_address_is_good() -> None:
    person = await make_user()
    await request_change(person, "first@example.com")
    first = await link_to("first@example.com", "Confirm")
    await request_change(person, "second@example.com")

    assert await email_change.confirm_email(first, db.utcnow()) is None
    assert await email_change.confirm_email(await link_to("second@example.com", "Confirm"), db.utcnow())


async def test_mailbox_that_had_its_share_gets_no_more_and_the_answer_is_the_same(clock: Clock) -> None:
    """v5.0.0-2.4.1: a signed-in user cannot flood another person's mailbox through the site."""
    for _ in range(4):
        await request_change(await make_user(), "target@example.com")

    assert len(await emails_to("target@example.com")) == 3
    clock.forward(hours=6)
    await request_change(await make_user(), "target@example.com")
    assert len(await emails_to("target@example.com")) == 4


@pytest.mark.parametrize("confirmed_in", ["the owner's", "the attacker's"])
async def test_browser_that_confirms_stays_known_if_the_account_knew_it(confirmed_in: str) -> None:
    """Otherwise guesses on unknown devices would delay the owner's browser, and it would be reported as new."""
    person = await make_user()
    assert await login_flow.login(person.email, PASSWORD, device="the owner's")
    sid = await request_change(person)

    token = await link_to("new@example.com", "Confirm")
    assert await email_change.confirm_email(token, db.utcnow(), keep=sid, device=confirmed_in)

    assert await login_flow.login("new@example.com", PASSWORD, device=confirmed_in)
    subjects = [message.subject for message in await emails_to("new@example.com")]
    assert subjects.count("A sign-in on a new device") == (confirmed_in == "the attacker's")


async def test_plus_addresses_of_one_mailbox_share_its_quota_of_new_addresses(clock: Clock) -> None:
    for number in range(5):
        await request_change(await make_user(), f"target+{number}@example.com")

    sent = [await emails_to(f"target+{number}@example.com") for number in range(5)]
    assert [len(each) for each in sent] == [1, 1, 1, 0, 0]


async def test_account_requests_ten_new_addresses_a_day_wherever_it_asks_from(clock: Clock) -> None:
    """v5.0.0-2.4.1: neither other networks nor other sessions are a new quota. Another account is not affected."""
    person, bystander = await make_user(), await make_user()
    for number in range(10):
        with client.of({"client": (f"203.0.113.{number}", 1), "headers": []}):
            await request_change(person, f"target{number}@example.com")

    with client.of({"client": ("203.0.113.99", 1), "headers": []}), pytest.raises(TooManyAttempts) as refused:
        await request_change(person, "target10@example.com")

    assert refused.value.seconds == 24 * 3600
    assert await emails_to("target10@example.com") == []
    await request_change(bystander, "target10@example.com")
    clock.forward(hours=24)
    await request_change(person, "target11@example.com")
    assert len(await emails_to("target11@example.com")) == 1


async def test_change_cancelled_before_its_email_was_sent_is_never_mailed() -> None:
    person = await make_user()
    sid = await request_change(person)

    await password_change.change_password(person.id, sid, PASSWORD, NEW)

    assert await emails_to("new@example.com") == []


@pytest.mark.parametrize("account", ["deactivated", "link over", "used", "altered"])
async def test_link_that_is_no_good_confirms_nothing(account: str, clock: Clock) -> None:
    person = await make_user()
    await request_change(person)
    token = await link_to("new@example.com", "Confirm")
    if account == "deactivated":
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(is_active=False))
    elif account == "link over":
        clock.forward(hours=24)
    elif account == "used":
        await db.execute(sa.update(link_rows).values(used_at=db.utcnow()))
    else:
        token = token[:-1] + ("A" if token[-1] != "A" else "B")

    assert await email_change.confirm_email(token, db.utcnow()) is None

    assert (await row_of(person)).email == person.email


async def second_step_on(person: Person) -> None:
    await with_a_phone(person)


async def second_step_off(person: Person) -> None:
    phone = await with_a_phone(person)
    await request_change(person)
    proof = proofs.Proof(PASSWORD, phone.recovery_codes[0])
    assert await enrolment.turn_off(person.id, sid_of(await start_session(person)), proof) == {}


async def second_step_removed(person: Person) -> None:
    await with_a_phone(person)
    await request_change(person)
    assert await second_factor.remove(person.id, None) is Outcome.DONE


async def others_signed_out(person: Person) -> None:
    await logout_flow.end_other_sessions(person.id, sid_of(await start_session(person)))


async def one_signed_out(person: Person) -> None:
    await logout_flow.end_own_session(person.id, sid_of(await start_session(person)))


async def ended_by_an_admin(person: Person) -> None:
    assert await user_admin.end_sessions(person.id, None) is Outcome.DONE
    assert await user_admin.end_sessions(person.id, None) is Outcome.NOTHING


async def one_ended_by_an_admin(person: Person) -> None:
    assert await user_admin.end_session(person.id, sid_of(await start_session(person)), None) is Outcome.DONE


async def new_password_wanted(person: Person) -> None:
    await user_admin.require_new_password(person.id, None)
    await user_admin.require_new_password(person.id, None, required=False)


async def deactivated_and_back(person: Person) -> None:
    for active in (False, True):
        assert await user_admin.change(person.id, None, is_active=active) is Outcome.DONE


async def old_token_came_back(person: Person) -> None:
    pair = await start_session(person)
    for _ in range(2):
        newer = await rotation.rotate(pair.refresh_token)
    assert isinstance(newer, rotation.Rotated)
    await rotation.rotate(newer.pair.refresh_token)
    await db.execute(sa.update(session_rows).values(handed_at=db.utcnow() - timedelta(hours=1)))
    assert isinstance(await rotation.rotate(pair.refresh_token), rotation.Rejected)


DEFENCES = (
    second_step_on, second_step_off, second_step_removed, others_signed_out, one_signed_out, ended_by_an_admin,
    one_ended_by_an_admin, new_password_wanted, deactivated_and_back, old_token_came_back,
)  # fmt: skip


# v5.0.0-7.4.3
@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.__name__)
async def test_change_that_waits_does_not_outlive_a_defence(defence: Any) -> None:
    """An attacker requested the change: after ending the attacker's sessions, nobody may confirm it later."""
    person, other = await make_user(), await make_user()
    await request_change(person)
    await request_change(other, "other@example.com")
    waiting = [await link_to("new@example.com", "Confirm")]

    await defence(person)

    waiting.append(await link_to("new@example.com", "Confirm"))  # of the defences that need two steps
    for token in waiting:
        assert await email_change.confirm_email(token, db.utcnow()) is None
    assert (await row_of(person)).email == person.email
    assert await email_change.pending_email(person.id, db.utcnow()) is None
    assert await email_change.confirm_email(await link_to("other@example.com", "Confirm"), db.utcnow())
    assert await email_links.find(await link_to(person.email, "requested"), email_links.UNDO_EMAIL, db.utcnow())


@pytest.mark.parametrize(
    "values",
    [
        {"password": "x"}, {"second_factor_at": datetime(2026, 1, 1, tzinfo=UTC)}, {"must_change_password": True},
        {"email": "third@example.com", "email_key": "third@example.com"},
    ],
    ids=lambda values: next(iter(values)),
)  # fmt: skip
async def test_change_that_waits_is_bound_to_the_account_as_it_was(values: dict[str, Any]) -> None:
    person = await make_user()
    await request_change(person)
    token = await link_to("new@example.com", "Confirm")

    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(values))

    assert await email_change.confirm_email(token, db.utcnow()) is None
    assert await email_change.pending_email(person.id, db.utcnow()) is None
    assert (await row_of(person)).email_key != "new@example.com"


@pytest.mark.race
async def test_twenty_clicks_at_once_change_the_address_once() -> None:
    """AC-036"""
    person = await make_user()
    await request_change(person)
    token = await link_to("new@example.com", "Confirm")

    outcomes = await asyncio.gather(*(email_change.confirm_email(token, db.utcnow()) for _ in range(20)))

    assert [outcome.email for outcome in outcomes if outcome] == ["new@example.com"]
    assert (await happened(person)).count(events.EMAIL_CHANGED) == 1


async def test_new_address_voids_registrations_that_wait_for_it() -> None:
    """Pre-hijacking: a registration that another person began with the address is void once it has an owner."""
    person = await make_user()
    async with db.transaction() as tx:
        values = {"email": "new@example.com", "email_key": "new@example.com"}
        raw = email_links.token(await email_links.make(tx, email_links.REGISTER, db.utcnow(), **values))
    await request_change(person)

    await email_change.confirm_email(await link_to("new@example.com", "Confirm"), db.utcnow())

    assert await email_links.find(raw, email_links.REGISTER, db.utcnow()) is None


@pytest.mark.parametrize("confirmed", [False, True])
async def test_undo_brings_the_account_back_to_the_old_address_and_everybody_out(confirmed: bool) -> None:
    person = await make_user()
    reset = await open_link(email_links.RESET, person)
    await request_change(person)
    change, undo = await link_to("new@example.com", "Confirm"), await link_to(person.email, "requested")
    if confirmed:
        await email_change.confirm_email(change, db.utcnow())
        reset = await open_link(email_links.RESET, person)  # mailed to the new address
        await start_session(person)

    assert await email_change.undo_email(undo, db.utcnow()) == person.email

    row = await row_of(person)
    assert (row.email, row.email_key) == (person.email, person.email)
    assert person.email in row.search_text
    assert set(await ends(person)) == {events.CREDENTIALS_CHANGED}
    assert await email_links.find(reset, email_links.RESET, db.utcnow()) is None
    assert await email_change.confirm_email(change, db.utcnow()) is None
    assert events.EMAIL_CHANGE_UNDONE in await happened(person)
    assert await announced(person)
    told = (await emails_to(person.email))[-1]
    assert told.subject == "The change of your e-mail address was cancelled"
    assert link_in(told) == "/forgot-password"


async def test_undo_is_good_once_and_for_a_week(clock: Clock) -> None:
    person = await make_user()
    await request_change(person)
    undo = await link_to(person.email, "requested")

    assert await email_change.undo_email(undo, clock.now + timedelta(days=7)) is None
    assert await email_change.undo_email(undo, clock.now + timedelta(days=6)) == person.email
    assert await email_change.undo_email(undo, clock.now + timedelta(days=6)) is None


async def test_of_a_chain_of_changes_the_first_mailbox_wins(clock: Clock) -> None:
    """An attacker changes the address twice: the undo link to the attacker's first mailbox is void after the owner's
    undo.
    """
    person = await make_user()
    undo = []
    for old, new in ((person.email, "attacker1@example.com"), ("attacker1@example.com", "attacker2@example.com")):
        await request_change(person, new)
        await email_change.confirm_email(await link_to(new, "Confirm"), db.utcnow())
        undo.append(await link_to(old, "was changed"))
        clock.forward(minutes=1)

    assert await email_change.undo_email(undo[0], db.utcnow()) == person.email
    assert await email_change.undo_email(undo[1], db.utcnow()) is None

    assert (await row_of(person)).email == person.email


async def moved_by_an_attacker(person: Person) -> str:
    """To a mailbox of the attacker's; what the owner can call it off with."""
    await request_change(person, "attacker@example.com")
    await email_change.confirm_email(await link_to("attacker@example.com", "Confirm"), db.utcnow())
    return await link_to(person.email, "was changed")


async def reset_link(person: Person, email: str) -> str:
    made = await password_reset.make_link(email, db.uuid7(), client.Client())
    assert made
    return email_links.token(made[1])


async def test_way_back_wins_over_a_password_that_an_attacker_chose_by_mail() -> None:
    """The reset link went to the current mailbox, the attacker's; the undo link goes back to the one before."""
    person = await make_user()
    undo = await moved_by_an_attacker(person)
    waiting = await reset_link(person, "attacker@example.com")
    assert await password_reset.reset(await reset_link(person, "attacker@example.com"), NEW)

    assert await email_change.undo_email(undo, db.utcnow()) == person.email

    for email in (person.email, "attacker@example.com"):
        for password in (PASSWORD, NEW):
            assert await login_flow.login(email, password) is None
    assert not await password_reset.reset(waiting, NEW)
    assert await password_reset.make_link("attacker@example.com", db.uuid7(), client.Client()) is None
    assert await password_reset.reset(await reset_link(person, person.email), "the owner is the one who chooses")
    assert await login_flow.login(person.email, "the owner is the one who chooses")


async def test_way_back_wins_over_a_reset_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    person = await make_user()
    undo = await moved_by_an_attacker(person)
    raw = await reset_link(person, "attacker@example.com")

    async def and_then_undone(password: str, hashed: Any = passwords.hash) -> str:
        monkeypatch.undo()
        assert await email_change.undo_email(undo, db.utcnow())
        return str(await hashed(password))

    monkeypatch.setattr(passwords, "hash", and_then_undone)

    assert not await password_reset.reset(raw, NEW)
    assert await login_flow.login(person.email, NEW) is None


async def test_way_back_turns_off_what_an_attacker_turned_on(clock: Clock) -> None:
    """Before the change or after it; the attacker's own mailbox proves nothing."""
    for turned_on_first in (True, False):
        person = await make_user()
        if turned_on_first:
            await with_a_phone(person)
            clock.forward(days=1)
        undo = await moved_by_an_attacker(person)
        if not turned_on_first:
            await with_a_phone(person)
        clock.forward(days=6)

        assert await email_change.undo_email(undo, db.utcnow())
        assert await password_reset.reset(await reset_link(person, person.email), NEW)

        assert isinstance(await login_flow.login(person.email, NEW), login_flow.Login)


async def test_way_back_leaves_a_second_factor_of_long_standing(clock: Clock) -> None:
    """Otherwise a person who takes over an abandoned mailbox would need nothing else."""
    person = await make_user()
    await with_a_phone(person)
    clock.forward(days=7)
    undo = await moved_by_an_attacker(person)
    clock.forward(days=6)

    assert await email_change.undo_email(undo, db.utcnow())
    assert await password_reset.reset(await reset_link(person, person.email), NEW)

    assert isinstance(await login_flow.login(person.email, NEW), login_flow.PendingLogin)


async def test_undo_to_an_address_that_another_account_has_by_now_changes_nothing() -> None:
    person = await make_user()
    await request_change(person)
    await email_change.confirm_email(await link_to("new@example.com", "Confirm"), db.utcnow())
    undo = await link_to(person.email, "was changed")
    await make_user(email=person.email)

    assert await email_change.undo_email(undo, db.utcnow()) is None

    assert (await row_of(person)).email == "new@example.com"
