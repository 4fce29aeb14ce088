"""The end of an account: given up, kept after all, or deleted with all that belongs to it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links
from app.auth.accounts import account_deletion, login_flow
from app.auth.errors import SessionEnded
from app.auth.models import link_rows, session_rows, user_rows
from app.email.models import email_rows
from app.notes import store
from app.notes.models import note_rows
from tests.support.account_state import happened
from tests.support.clock import Clock
from tests.support.mailbox import delivered, emails_to
from tests.support.people import Person, make_user, start_session

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]

GRACE = timedelta(days=14)


async def exists(person: Person) -> bool:
    return await db.fetch_one(sa.select(user_rows.c.id).where(user_rows.c.id == person.id)) is not None


async def test_account_given_up_is_out_everywhere_and_has_a_day(clock: Clock) -> None:
    """v5.0.0-7.4.2"""
    person = await make_user()
    for _ in range(2):
        await start_session(person)
    async with db.transaction() as tx:
        await email_links.make(tx, email_links.RESET, clock.now, user_id=person.id)

    assert await account_deletion.schedule(person.id) == clock.now + GRACE

    rows = await db.fetch_all(sa.select(session_rows.c.revoked_for))
    assert [row.revoked_for for row in rows] == [events.ACCOUNT_DELETION] * 2
    assert await db.fetch_value(sa.select(link_rows.c.used_at)) is not None
    assert events.DELETION_REQUESTED in await happened(person)
    (message,) = await delivered()
    assert (message.recipient, message.subject) == (person.email, "Your account will be deleted")
    day = clock.now + GRACE
    assert f"{day.day} {day:%B %Y}" in message.text


async def test_second_request_finds_no_session_to_ask_with() -> None:
    person = await make_user()
    await account_deletion.schedule(person.id)

    with pytest.raises(SessionEnded):
        await account_deletion.schedule(person.id)

    assert (await happened(person)).count(events.DELETION_REQUESTED) == 1


async def test_signing_in_before_the_day_keeps_the_account(clock: Clock) -> None:
    person = await make_user()
    await account_deletion.schedule(person.id)
    await delivered()
    clock.forward(days=13)

    signed_in = await login_flow.login(person.email, person.password)

    assert signed_in
    assert signed_in.deletion_cancelled
    assert (await happened(person))[-2:] == [events.LOGIN, events.DELETION_CANCELLED]
    assert [message.subject for message in await emails_to(person.email)][-1] == "Your account will not be deleted"
    assert await account_deletion.delete_due(clock.forward(days=30)) == 0
    assert await exists(person)


async def test_email_about_the_deletion_is_not_sent_after_it_was_cancelled() -> None:
    person = await make_user()
    await account_deletion.schedule(person.id)
    await login_flow.login(person.email, person.password)

    assert [message.subject for message in await emails_to(person.email)] == ["Your account will not be deleted"]


async def test_ordinary_sign_in_keeps_nothing() -> None:
    person = await make_user()

    signed_in = await login_flow.login(person.email, person.password)

    assert signed_in
    assert not signed_in.deletion_cancelled
    assert events.DELETION_CANCELLED not in await happened(person)


async def test_wrong_password_keeps_nothing(clock: Clock) -> None:
    person = await make_user()
    await account_deletion.schedule(person.id)

    assert await login_flow.login(person.email, "not the right passphrase") is None

    assert await account_deletion.delete_due(clock.forward(days=14)) == 1


async def test_account_is_deleted_on_its_day_with_all_that_belongs_to_it(clock: Clock) -> None:
    person, other = await make_user(name="Robin Gone"), await make_user()
    for each in (person, other):
        await start_session(each)
        await store.create(each.id, "A note", "")  # notes
    await account_deletion.schedule(person.id)
    await delivered()

    assert await account_deletion.delete_due(clock.forward(days=14) - timedelta(seconds=1)) == 0
    assert await account_deletion.delete_due(clock.now) == 1
    assert await account_deletion.delete_due(clock.now) == 0

    assert not await exists(person)
    assert await exists(other)
    owners = [
        session_rows.c.user_id,
        link_rows.c.user_id,
        note_rows.c.owner_id,  # notes
    ]
    for owner in owners:
        assert {row[0] for row in await db.fetch_all(sa.select(owner))} <= {other.id}
    last = (await emails_to(person.email))[-1]
    assert last.subject == "Your account has been deleted"


async def test_what_stays_of_an_account_has_neither_name_nor_address(clock: Clock) -> None:
    person = await make_user(name="Robin Gone", email="gone@example.com")
    await start_session(person)
    await account_deletion.schedule(person.id)
    await account_deletion.delete_due(clock.forward(days=14))

    for model in db.registry.models.values():
        for row in await db.fetch_all(sa.select(model.table)):
            if model.table is email_rows and row.kind == "account_deleted":
                continue  # queued, and pruned a week after it was sent
            assert "robin gone" not in str(row).lower(), model
            assert "gone@example.com" not in str(row), model
    assert (await happened(person))[-1] == events.ACCOUNT_DELETED


async def test_last_admin_has_to_stay() -> None:
    admin = await make_user(role="admin")
    await make_user()
    await make_user(role="admin", active=False)
    await start_session(admin)

    assert await account_deletion.schedule(admin.id) is None

    assert await db.fetch_value(sa.select(session_rows.c.revoked_at)) is None
    assert await happened(admin) == []


async def test_admin_who_leaves_another_one_may_go() -> None:
    admin, other = await make_user(role="admin"), await make_user(role="admin")

    assert await account_deletion.schedule(admin.id)
    assert await account_deletion.schedule(other.id) is None  # one who is going does not count


@pytest.mark.race
async def test_of_two_admins_who_go_at_once_one_stays() -> None:
    people = [await make_user(role="admin") for _ in range(2)]

    outcomes = await asyncio.gather(*(account_deletion.schedule(person.id) for person in people))

    assert sum(outcome is None for outcome in outcomes) == 1


async def test_admin_who_became_the_last_one_meanwhile_is_not_deleted(clock: Clock, logged: list[Any]) -> None:
    admin, other = await make_user(role="admin"), await make_user(role="admin")
    await account_deletion.schedule(admin.id)
    await db.execute(sa.update(user_rows).where(user_rows.c.id == other.id).values(role="user"))

    assert await account_deletion.delete_due(clock.forward(days=14)) == 0

    assert await exists(admin)
    assert "last_admin_not_deleted" in [line["event"] for line in logged]


@pytest.mark.race
async def test_sign_in_and_deletion_at_once_leave_a_whole_account_or_none(clock: Clock) -> None:
    people = [await make_user() for _ in range(5)]
    for person in people:
        await account_deletion.schedule(person.id)
    clock.forward(days=14)

    async def login(person: Person) -> Any:
        return await login_flow.login(person.email, person.password)

    *signed_in, _, _ = await asyncio.gather(
        *(login(person) for person in people),
        account_deletion.delete_due(clock.now),
        account_deletion.delete_due(clock.now),
    )

    for person, pair in zip(people, signed_in, strict=True):
        assert await exists(person) is (pair is not None)
        assert (await happened(person)).count(events.ACCOUNT_DELETED) == (pair is None)
