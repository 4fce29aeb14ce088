"""What an admin does to others: in one transaction, recorded in the audit log, and never so that nobody is left."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import passwords
from app.auth.accounts import login_flow, user_admin
from app.auth.accounts.user_admin import Outcome
from app.auth.models import session_rows, user_rows
from app.email.models import email_rows
from tests.support.people import PASSWORD, Person, make_user, start_session

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]


@pytest.fixture
async def admin(database: str) -> Person:
    return await make_user(role="admin")


async def row_of(user_id: UUID) -> Any:
    return await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == user_id))


async def audited(user_id: UUID) -> list[tuple[str, UUID | None, str]]:
    mine = sa.select(event_rows).where(event_rows.c.user_id == user_id).order_by(event_rows.c.id)
    return [(row.event, row.actor_id, row.detail) for row in await db.fetch_all(mine)]


async def email_messages() -> list[tuple[str, UUID | None]]:
    rows = await db.fetch_all(sa.select(email_rows).order_by(email_rows.c.id))
    return [(row.kind, row.user_id) for row in rows]


async def live_sessions(person: Person) -> list[UUID]:
    mine = sa.select(session_rows.c.id).where(session_rows.c.user_id == person.id, session_rows.c.revoked_at.is_(None))
    return [row.id for row in await db.fetch_all(mine)]


# v5.0.0-16.3.3
async def test_role_change_records_old_and_new_role(admin: Person) -> None:
    """AC-153"""
    person = await make_user()

    assert await user_admin.change(person.id, admin.id, role="admin") is Outcome.DONE

    assert (await row_of(person.id)).role == "admin"
    assert await audited(person.id) == [(events.ROLE_CHANGED, admin.id, "user to admin")]


async def test_several_changes_are_one(admin: Person) -> None:
    person = await make_user()

    await user_admin.change(person.id, admin.id, name="Ann Other", role="admin", is_active=False)

    row = await row_of(person.id)
    assert (row.name, row.role, row.is_active, row.search_text) == (
        "Ann Other", "admin", False, f"ann other {person.email}",
    )  # fmt: skip
    assert [event for event, *_ in await audited(person.id)] == [
        events.NAME_CHANGED, events.ROLE_CHANGED, events.USER_DEACTIVATED,
    ]  # fmt: skip


async def test_what_is_so_already_leaves_no_trace(admin: Person) -> None:
    person = await make_user()

    outcome = await user_admin.change(person.id, admin.id, name=person.name, role="user", is_active=True)

    assert outcome is Outcome.NOTHING
    assert await audited(person.id) == []


async def test_deactivation_ends_every_session(admin: Person) -> None:
    """v5.0.0-7.4.2"""
    person, other = await make_user(), await make_user()
    for _ in range(3):
        await start_session(person)
    await start_session(other)

    await user_admin.change(person.id, admin.id, is_active=False)

    assert await live_sessions(person) == []
    assert len(await live_sessions(other)) == 1


async def test_one_session_is_ended_and_the_others_go_on(admin: Person) -> None:
    """v5.0.0-7.4.5"""
    person = await make_user()
    for _ in range(3):
        await start_session(person)
    first, *rest = await live_sessions(person)

    assert await user_admin.end_session(person.id, first, admin.id) is Outcome.DONE

    assert sorted(await live_sessions(person)) == sorted(rest)
    assert await user_admin.end_session(person.id, first, admin.id) is Outcome.NOTHING


async def test_session_of_another_person_is_not_found(admin: Person) -> None:
    person, other = await make_user(), await make_user()
    await start_session(other)
    (theirs,) = await live_sessions(other)

    assert await user_admin.end_session(person.id, theirs, admin.id) is Outcome.MISSING

    assert await live_sessions(other) == [theirs]


@pytest.mark.parametrize("values", [{"role": "user"}, {"is_active": False}, {"name": "Somebody Else"}])
async def test_admins_cannot_do_this_to_their_own_account(admin: Person, values: dict[str, Any]) -> None:
    await make_user(role="admin")

    assert await user_admin.change(admin.id, admin.id, **values) is Outcome.YOURSELF

    row = await row_of(admin.id)
    assert (row.role, row.is_active, row.name) == ("admin", True, admin.name)


@pytest.mark.parametrize("values", [{"role": "user"}, {"is_active": False}])
async def test_last_admin_stays_even_for_the_operator(admin: Person, values: dict[str, Any]) -> None:
    """v5.0.0-2.3.5: one who is deactivated, or gives the account up, looks after nothing."""
    await make_user(role="admin", active=False)
    leaving = await make_user(role="admin")
    await db.execute(sa.update(user_rows).where(user_rows.c.id == leaving.id).values(delete_after=db.utcnow()))

    assert await user_admin.change(admin.id, None, **values) is Outcome.LAST_ADMIN

    row = await row_of(admin.id)
    assert (row.role, row.is_active) == ("admin", True)


async def test_change_that_leaves_the_last_admin_alone_is_no_danger(admin: Person) -> None:
    assert await user_admin.change(admin.id, None, name="Renamed") is Outcome.DONE


# v5.0.0-15.4.2
@pytest.mark.race
@pytest.mark.parametrize("values", [{"role": "user"}, {"is_active": False}])
async def test_two_admins_who_throw_each_other_out_at_once_leave_one(values: dict[str, Any]) -> None:
    """v5.0.0-15.4.2"""
    for _ in range(5):
        await db.execute(sa.update(user_rows).values(role="user"))
        one, two = await make_user(role="admin"), await make_user(role="admin")

        outcomes = await asyncio.gather(
            user_admin.change(one.id, two.id, **values), user_admin.change(two.id, one.id, **values)
        )

        assert sorted(outcome.name for outcome in outcomes) == ["DONE", "FORBIDDEN"]
        left = [row for row in (await row_of(one.id), await row_of(two.id)) if row.role == "admin" and row.is_active]
        assert len(left) == 1


@pytest.mark.race
async def test_many_admins_who_demote_one_another_in_a_ring_leave_one_or_more() -> None:
    admins = [await make_user(role="admin") for _ in range(8)]

    await asyncio.gather(
        *(
            user_admin.change(after.id, before.id, role="user")
            for before, after in zip(admins, [*admins[1:], admins[0]], strict=True)
        )
    )

    assert await db.fetch_value(sa.select(sa.func.count()).where(user_rows.c.role == "admin")) >= 1


@pytest.mark.parametrize("change", [{"role": "user"}, {"is_active": False}])
async def test_who_is_no_admin_any_more_changes_nothing(admin: Person, change: dict[str, Any]) -> None:
    """v5.0.0-8.3.2"""
    former, person = await make_user(role="admin"), await make_user()
    await start_session(person)
    await user_admin.change(former.id, admin.id, **change)

    outcomes = [
        await user_admin.change(person.id, former.id, is_active=False),
        await user_admin.end_sessions(person.id, former.id),
        await user_admin.send_link(person.id, former.id),
        await user_admin.require_new_password(person.id, former.id),
        await user_admin.invite("new@example.com", "New", "admin", former.id),
    ]

    assert set(outcomes) == {Outcome.FORBIDDEN}
    assert await audited(person.id) == []
    assert await email_messages() == []
    assert await db.fetch_one(sa.select(user_rows).where(user_rows.c.email_key == "new@example.com")) is None


async def test_unknown_person_is_missing(admin: Person) -> None:
    assert await user_admin.change(db.uuid7(), admin.id, role="admin") is Outcome.MISSING


async def test_password_link_is_queued_for_the_user_and_leaves_the_password(admin: Person) -> None:
    """v5.0.0-6.4.6"""
    person = await make_user()

    assert await user_admin.send_link(person.id, admin.id) is Outcome.DONE

    assert await email_messages() == [("reset", person.id)]
    assert await audited(person.id) == [(events.PASSWORD_RESET_SENT, admin.id, "")]
    assert await login_flow.login(person.email, PASSWORD)


async def test_no_link_goes_to_an_account_that_is_closed(admin: Person) -> None:
    person = await make_user(active=False)

    assert await user_admin.send_link(person.id, admin.id) is Outcome.INACTIVE
    assert await email_messages() == []


async def test_invited_account_opens_with_no_password(admin: Person) -> None:
    """v5.0.0-6.4.1"""
    made = await user_admin.invite("Nia.New@example.com", "Nia New", "admin", admin.id)

    assert isinstance(made, UUID)
    row = await row_of(made)
    assert (row.email, row.email_key, row.role, row.is_active) == (
        "Nia.New@example.com", "nia.new@example.com", "admin", True,
    )  # fmt: skip
    assert user_admin.invited(row)
    for guess in ("", "!", row.password, PASSWORD):
        assert not (await passwords.verify(guess, row.password)).ok
    assert await email_messages() == [("invite", made)]
    assert await audited(made) == [(events.USER_INVITED, admin.id, "admin")]


async def test_invited_address_answers_a_guess_like_any_other(admin: Person) -> None:
    """v5.0.0-6.3.8: what cannot be verified would answer at once."""
    made = await user_admin.invite("nia@example.com", "Nia", "user", admin.id)

    assert isinstance(made, UUID)
    assert (await row_of(made)).password.startswith("argon2$argon2id$")


async def test_invitation_of_a_taken_address_makes_nothing(admin: Person) -> None:
    person = await make_user()

    assert await user_admin.invite(person.email.upper(), "Twin", "user", admin.id) is Outcome.NOTHING

    assert await email_messages() == []


async def test_invitation_can_be_sent_again_until_the_first_login(admin: Person) -> None:
    made = await user_admin.invite("nia@example.com", "Nia", "user", admin.id)
    assert isinstance(made, UUID)

    await user_admin.send_link(made, admin.id)
    await db.execute(sa.update(user_rows).where(user_rows.c.id == made).values(last_login=db.utcnow()))
    await user_admin.send_link(made, admin.id)

    assert [kind for kind, _ in await email_messages()] == ["invite", "invite", "reset"]


async def test_new_password_is_wanted_and_no_longer(admin: Person) -> None:
    person = await make_user()

    assert await user_admin.require_new_password(person.id, admin.id) is Outcome.DONE
    assert (await row_of(person.id)).must_change_password
    assert await user_admin.require_new_password(person.id, admin.id) is Outcome.NOTHING
    assert await user_admin.require_new_password(person.id, admin.id, required=False) is Outcome.DONE

    assert not (await row_of(person.id)).must_change_password
    assert [event for event, *_ in await audited(person.id)] == [
        events.PASSWORD_CHANGE_REQUIRED, events.PASSWORD_CHANGE_NOT_REQUIRED,
    ]  # fmt: skip
