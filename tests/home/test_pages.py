"""The front page and the dashboard."""

from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth.models import session_rows
from app.auth.sessions import reused, rotation
from app.web import client as client_of
from tests.support import forge
from tests.support.people import Person, make_user, sign_in, start_session
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def test_front_page_says_who_is_signed_in(client: Visitor) -> None:
    assert "Sign in" in (await client.visit("/")).text
    person = await make_user(name="Robin Reader")
    await sign_in(client, person)

    assert "Robin Reader" in (await client.visit("/")).text


async def test_dashboard_shows_person_session_and_recent_activity(client: Visitor) -> None:
    person = await make_user()
    await client.submit("/login", {"email": person.email, "password": "wrong password, but long"})
    await client.submit("/login", {"email": person.email, "password": person.password}, headers={"User-Agent": FIREFOX})

    page = (await client.visit("/dashboard")).text

    for text in (person.name, person.email, "Firefox on Linux", "127.0.0.1", "Wrong password", "Signed in"):
        assert text in page, text


async def test_public_page_without_a_database_shows_neither_state(client: Visitor) -> None:
    """Not signed out by a fault: the header offers neither, private pages answer 503, cookies stay."""
    await sign_in(client, await make_user())
    await db.disconnect()
    await broken_database()

    front, private = await client.visit("/"), await client.visit("/dashboard")

    await db.disconnect()
    await db.connect()
    assert front.status_code == 200
    assert "Sign in" not in front.text.split("<main")[0]
    assert "Sign out" not in front.text.split("<main")[0]
    assert private.status_code == 503
    assert private.headers["retry-after"]
    assert "set-cookie" not in private.headers


async def broken_database() -> None:
    db.point_at("sqlite+aiosqlite:////nowhere/at/all.db")
    await db.connect()


async def stolen(person: Person) -> UUID:
    """A session of theirs that an old copy ended."""
    pair = await start_session(person)
    sid = UUID(forge.claims(pair.access_token)["sid"])
    attacker = client_of.Client("198.51.100.9", FIREFOX)
    await events.record(events.SESSION_REUSED, user_id=person.id, session_id=sid, detail="gen 1 of 3", browser=attacker)
    async with db.transaction() as tx:
        await rotation.revoke(sid, events.REUSED, tx=tx, now=db.utcnow())
    return sid


async def test_stolen_session_is_told_with_where_the_copy_was_used(client: Visitor) -> None:
    person = await make_user()
    await stolen(person)
    await sign_in(client, person)

    page = (await client.visit("/dashboard")).text

    for text in ("it may have been stolen", "198.51.100.9", "Firefox on Linux", "This was me", "This was not me"):
        assert text in page, text


@pytest.mark.parametrize(
    ("owner", "leads_to"), [("yes", "/dashboard?notice=reuse_was_owner"), ("no", "/account/secure")]
)
async def test_answer_about_a_stolen_session_is_recorded_and_asked_for_once(
    client: Visitor, owner: str, leads_to: str
) -> None:
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)

    done = await client.submit(f"/account/sessions/{sid}/answer", {"owner": owner})

    assert done.headers["location"] == leads_to
    assert "This was me" not in (await client.visit("/dashboard")).text
    (recorded,) = [row for row in await events.of_user(person.id) if row.event == events.SESSION_REUSE_ANSWERED]
    assert (recorded.session_id, recorded.detail) == (sid, reused.ANSWERS[owner])


async def test_answer_that_nobody_asked_for_is_not_recorded(client: Visitor) -> None:
    """The audit log tells what happened, and a form that is sent again and again does not fill it."""
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)
    live = await db.fetch_value(sa.select(session_rows.c.id).where(session_rows.c.revoked_at.is_(None)))

    for each in (sid, sid, sid, live):
        done = await client.submit(f"/account/sessions/{each}/answer", {"owner": "yes"})
        assert done.headers["location"].startswith("/dashboard")

    recorded = [row for row in await events.of_user(person.id) if row.event == events.SESSION_REUSE_ANSWERED]
    assert [row.session_id for row in recorded] == [sid]


async def test_next_stolen_session_is_asked_about_again(client: Visitor) -> None:
    person = await make_user()
    sid = await stolen(person)
    await sign_in(client, person)
    await client.submit(f"/account/sessions/{sid}/answer", {"owner": "yes"})

    await stolen(person)

    assert "This was me" in (await client.visit("/dashboard")).text


async def test_nobody_answers_for_somebody_else(client: Visitor) -> None:
    sid = await stolen(await make_user())
    await sign_in(client, await make_user())

    assert (await client.submit(f"/account/sessions/{sid}/answer", {"owner": "yes"})).status_code == 404
