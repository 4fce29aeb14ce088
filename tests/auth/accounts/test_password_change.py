"""Password change by the owner."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, passwords
from app.auth.accounts import email_change, password_change
from app.auth.errors import SessionEnded, TooManyAttempts
from app.auth.models import session_rows
from app.auth.sessions import revocation, rotation
from app.auth.tokens import TokenPair
from tests.support.account_state import announced, ends, happened, open_link, queued, row_of, sid_of
from tests.support.clock import Clock
from tests.support.mailbox import delivered
from tests.support.people import PASSWORD, make_user, start_session

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

NEW = "wrong zebra paperclip sonata"


# v5.0.0-6.2.2, v5.0.0-7.2.4
async def test_new_password_ends_every_other_session_and_renews_this_one(clock: Clock) -> None:
    """v5.0.0-7.2.4, v5.0.0-7.4.3"""
    person = await make_user()
    mine, theirs = await start_session(person), await start_session(person)
    clock.forward(days=3)

    pair = await password_change.change_password(person.id, sid_of(mine), PASSWORD, NEW)

    assert isinstance(pair, TokenPair)
    assert await ends(person) == [events.REPLACED, events.CREDENTIALS_CHANGED, None]
    rows = await db.fetch_all(sa.select(session_rows).order_by(session_rows.c.id))
    assert rows[2].id == sid_of(pair)
    assert rows[2].ends_at == rows[0].ends_at
    assert rows[2].authenticated_at == clock.now
    assert (await passwords.verify(NEW, (await row_of(person)).password)).ok
    for old in (mine, theirs):
        assert isinstance(await rotation.rotate(old.refresh_token), rotation.Rejected)
    assert await announced(person)
    assert events.PASSWORD_CHANGED in await happened(person)


# v5.0.0-6.3.7
async def test_owner_gets_an_email_about_the_new_password() -> None:
    """v5.0.0-6.3.7"""
    person = await make_user()

    await password_change.change_password(person.id, sid_of(await start_session(person)), PASSWORD, NEW)

    (message,) = await delivered()
    assert (message.recipient, message.subject) == (person.email, "Your password was changed")
    assert NEW not in message.text


async def test_new_password_voids_what_waits_in_mailboxes_but_the_way_back() -> None:
    person = await make_user()
    waiting = {purpose: await open_link(purpose, person, email="x@example.com") for purpose in email_links.LIFETIMES}

    await password_change.change_password(person.id, sid_of(await start_session(person)), PASSWORD, NEW)

    still = {purpose for purpose, raw in waiting.items() if await email_links.find(raw, purpose, db.utcnow())}
    assert still == {email_links.UNDO_EMAIL}


# v5.0.0-6.2.3
@pytest.mark.parametrize(
    ("current", "new", "fields"),
    [
        ("not the right passphrase", NEW, {"current_password"}),
        (PASSWORD, "short", {"new_password"}),
        (PASSWORD, PASSWORD, {"new_password"}),
        (PASSWORD, passwords.APP_WORDS[0] * 5, {"new_password"}),
        ("not the right passphrase", "short", {"current_password", "new_password"}),
    ],
)
async def test_refused_password_changes_nothing_and_says_at_which_field(
    current: str, new: str, fields: set[str]
) -> None:
    """v5.0.0-6.2.3"""
    person = await make_user()
    mine = await start_session(person)
    before = await row_of(person)

    faults = await password_change.change_password(person.id, sid_of(mine), current, new)

    assert isinstance(faults, dict)
    assert set(faults) == fields
    assert await row_of(person) == before
    assert await ends(person) == [None]
    assert await queued() == []
    wrong = [event for event in await happened(person) if event == events.STEP_UP_FAILED]
    assert bool(wrong) is ("current_password" in fields)


async def test_guessing_at_the_current_password_has_to_wait() -> None:
    person = await make_user()
    sid = sid_of(await start_session(person))
    for _ in range(10):
        await password_change.change_password(person.id, sid, "not the right passphrase", NEW)

    with pytest.raises(TooManyAttempts):
        await password_change.change_password(person.id, sid, PASSWORD, NEW)
    with pytest.raises(TooManyAttempts):
        await email_change.request_email_change(person.id, sid, "new@example.com", PASSWORD)

    assert (await passwords.verify(PASSWORD, (await row_of(person)).password)).ok


async def test_session_that_ended_meanwhile_changes_nothing() -> None:
    """The owner signs an attacker's session out while it changes the password."""
    person = await make_user()
    sid = sid_of(await start_session(person))
    async with db.transaction() as tx:
        await revocation.revoke(sid, events.ENDED_BY_OWNER, tx=tx, now=db.utcnow())

    with pytest.raises(SessionEnded):
        await password_change.change_password(person.id, sid, PASSWORD, NEW)

    assert (await passwords.verify(PASSWORD, (await row_of(person)).password)).ok
    assert await queued() == []


@pytest.mark.race
async def test_of_two_new_passwords_at_once_one_counts() -> None:
    person = await make_user()
    pairs = [await start_session(person) for _ in range(2)]
    tries = [(sid_of(pair), f"{NEW} {number}") for number, pair in enumerate(pairs)]

    async def change(sid: UUID, new: str) -> Any:
        try:
            return await password_change.change_password(person.id, sid, PASSWORD, new)
        except SessionEnded:
            return None

    outcomes = await asyncio.gather(*(change(*each) for each in tries))

    won = [isinstance(outcome, TokenPair) for outcome in outcomes]
    assert sum(won) == 1
    stored = (await row_of(person)).password
    assert [(await passwords.verify(new, stored)).ok for _, new in tries] == won
    assert (await ends(person)).count(None) == 1
