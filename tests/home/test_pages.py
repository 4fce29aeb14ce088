"""The front page and the dashboard."""

import pytest

from app import db
from tests.support.people import make_user, sign_in
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
