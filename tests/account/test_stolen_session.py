"""The question who used an old token, and what settles it."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events, queries
from app.auth.models import session_rows
from app.auth.sessions import reuse_review, revocation
from app.web import client as client_of
from tests.support import forge
from tests.support.people import Person, make_user, sign_in, start_session
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW_PASSWORD = "a new horse for the battery"


async def stolen(person: Person) -> UUID:
    """A session of theirs that an old copy ended."""
    pair = await start_session(person)
    sid = UUID(forge.claims(pair.access_token)["sid"])
    attacker = client_of.Client("198.51.100.9", FIREFOX)
    await events.record(events.SESSION_REUSED, user_id=person.id, session_id=sid, detail="gen 1 of 3", browser=attacker)
    async with db.transaction() as tx:
        await revocation.revoke(sid, events.REUSED, tx=tx, now=db.utcnow())
    return sid


async def answers(person: Person) -> list[tuple[UUID, str]]:
    rows = await queries.of_user(person.id)
    return [(row.session_id, row.detail) for row in rows if row.event == events.SESSION_REUSE_ANSWERED]


async def is_asked(client: Visitor) -> bool:
    return "A session was ended because it may" in (await client.visit("/dashboard")).text


def yes(person: Person) -> dict[str, str]:
    return {"owner": "yes", "current_password": person.password}


async def test_dashboard_says_where_the_copy_was_used(client: Visitor) -> None:
    person = await make_user()
    await stolen(person)
    await sign_in(client, person)

    page = (await client.visit("/dashboard")).text

    for text in ("it may have been stolen", "198.51.100.9", "Firefox on Linux", "This was me", "This was not me"):
        assert text in page, text


# v5.0.0-7.5.3
@pytest.mark.parametrize("owner", ["yes", "no", "", "maybe"])
async def test_copied_cookie_does_not_silence_the_warning(client: Visitor, owner: str) -> None:
    """Minutes after the sign-in, when nobody is asked for the password by the clock."""
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)

    for proof in ({}, {"current_password": "a guess of the attacker"}, {"passkey": "{}"}, {"code": "123456"}):
        await client.submit(f"/account/sessions/{sid}/answer", {"owner": owner, **proof})

    assert await is_asked(client)
    assert (sid, reuse_review.OWNER) not in await answers(person)


async def test_owner_settles_it_with_the_password(client: Visitor) -> None:
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)
    page = (await client.visit(f"/account/sessions/{sid}/answer")).text
    assert "198.51.100.9" in page
    assert "Firefox on Linux" in page

    done = await client.submit(f"/account/sessions/{sid}/answer", yes(person))

    assert done.headers["location"] == "/dashboard?notice=reuse_was_owner"
    assert not await is_asked(client)
    assert await answers(person) == [(sid, reuse_review.OWNER)]


async def test_no_leads_to_the_steps_and_the_warning_stays_until_the_password_is_changed(client: Visitor) -> None:
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)

    done = await client.submit(f"/account/sessions/{sid}/answer", {"owner": "no"})

    assert done.headers["location"] == "/account/secure"
    assert "stays until you have changed your password" in (await client.visit("/dashboard")).text
    assert await answers(person) == [(sid, reuse_review.SOMEBODY_ELSE)]
    await client.submit("/account/password", {"current_password": person.password, "new_password": NEW_PASSWORD})
    assert not await is_asked(client)


async def test_new_password_before_the_reuse_settles_nothing(client: Visitor) -> None:
    person = await make_user()
    pair = await start_session(person)
    sid = UUID(forge.claims(pair.access_token)["sid"])
    await events.record(events.PASSWORD_CHANGED, user_id=person.id, at=db.utcnow() - timedelta(minutes=1))
    async with db.transaction() as tx:
        await revocation.revoke(sid, events.REUSED, tx=tx, now=db.utcnow())
    await sign_in(client, person)

    assert await is_asked(client)


async def test_owner_who_said_no_may_find_out_better(client: Visitor) -> None:
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)
    await client.submit(f"/account/sessions/{sid}/answer", {"owner": "no"})

    await client.submit(f"/account/sessions/{sid}/answer", yes(person))

    assert not await is_asked(client)


async def test_answer_that_nobody_asked_for_is_not_recorded(client: Visitor) -> None:
    """The audit log tells what happened, and a form that is sent again and again does not fill it."""
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)
    live = await db.fetch_value(sa.select(session_rows.c.id).where(session_rows.c.revoked_at.is_(None)))

    for each in (live, sid, sid, sid, live):
        await client.submit(f"/account/sessions/{each}/answer", {"owner": "no"})
        await client.submit(f"/account/sessions/{each}/answer", yes(person))

    assert await answers(person) == [(sid, reuse_review.OWNER), (sid, reuse_review.SOMEBODY_ELSE)]
    assert (await client.visit(f"/account/sessions/{sid}/answer")).headers["location"] == "/dashboard"


@pytest.mark.parametrize("who", [reuse_review.OWNER, reuse_review.SOMEBODY_ELSE])
async def test_of_many_answers_at_once_one_is_recorded(database: str, who: str) -> None:
    person = await make_user()
    sid = await stolen(person)

    async def confirm() -> None:
        async with db.transaction() as tx:
            await reuse_review.confirm(tx, person.id, sid)

    await asyncio.gather(
        *(confirm() if who == reuse_review.OWNER else reuse_review.deny(person.id, sid) for _ in range(20))
    )

    assert await answers(person) == [(sid, who)]


async def test_next_stolen_session_is_asked_about_again(client: Visitor) -> None:
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)
    await client.submit(f"/account/sessions/{sid}/answer", yes(person))

    await stolen(person)

    assert await is_asked(client)


async def test_nobody_answers_for_somebody_else(client: Visitor) -> None:
    owner, somebody = await make_user(), await make_user()
    sid = await stolen(owner)
    await sign_in(client, somebody)

    assert (await client.visit(f"/account/sessions/{sid}/answer")).status_code == 404
    for answer in (yes(somebody), {"owner": "no"}):
        assert (await client.submit(f"/account/sessions/{sid}/answer", answer)).status_code == 404
    assert await answers(owner) == []
