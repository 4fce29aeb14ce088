"""Signing in and proving it again: what counts is the row at the moment of the change, not what was read before."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import passwords
from app.auth.accounts import login_flow
from app.auth.models import session_rows, user_rows
from app.auth.sessions import rotation
from tests.support.people import PASSWORD, Person, make_user, start_session

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]


def meanwhile(monkeypatch: pytest.MonkeyPatch, person: Person, **values: Any) -> None:
    """While the password is looked at, the person's row becomes another one. Once: the next look finds it so."""
    verify = passwords.verify

    async def overtaken(password: str, encoded: str | None) -> passwords.Verified:
        monkeypatch.setattr(passwords, "verify", verify)
        verified = await verify(password, encoded)
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(values))
        return verified

    monkeypatch.setattr(passwords, "verify", overtaken)


async def test_password_that_was_replaced_while_it_was_looked_at_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner takes a new password because the old one is known: a sign-in with the old one is under way."""
    person = await make_user()
    meanwhile(monkeypatch, person, password=await passwords.hash("another horse battery staple"))

    assert await login_flow.login(person.email, PASSWORD) is None

    assert await db.fetch_all(sa.select(session_rows)) == []
    assert [row.event for row in await db.fetch_all(sa.select(event_rows))] == [events.LOGIN_FAILED]


async def test_account_that_was_deactivated_while_the_password_was_looked_at_stays_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = await make_user()
    meanwhile(monkeypatch, person, is_active=False)

    assert await login_flow.login(person.email, PASSWORD) is None

    assert await db.fetch_all(sa.select(session_rows)) == []


async def test_second_factor_turned_on_during_the_password_check_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = await make_user()
    meanwhile(monkeypatch, person, second_factor_at=db.utcnow())

    assert isinstance(await login_flow.login(person.email, PASSWORD), login_flow.PendingLogin)

    assert await db.fetch_all(sa.select(session_rows)) == []


async def test_step_up_with_a_password_that_was_replaced_meanwhile_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = await make_user()
    (token,) = rotation.presented(((await start_session(person)).access_token, "access"))
    meanwhile(monkeypatch, person, password=await passwords.hash("another horse battery staple"))

    assert await login_flow.step_up(person.id, token.sid, PASSWORD) is None

    assert len(await db.fetch_all(sa.select(session_rows))) == 1
    assert events.STEP_UP_FAILED in [row.event for row in await db.fetch_all(sa.select(event_rows))]
