"""The audit log: a closed vocabulary, the request it came from, and no secrets."""

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events, queries, session_history
from app.audit.models import event_rows
from app.auth.models import session_rows
from tests.support.people import PASSWORD, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


@pytest.mark.usefixtures("database")
async def test_unknown_event_is_refused() -> None:
    with pytest.raises(KeyError):
        await events.record("something")

    assert await db.fetch_all(sa.select(event_rows)) == []


def test_every_event_has_words_and_fits_its_column() -> None:
    names = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}

    assert set(events.EVENT_TEXT) | set(events.REASONS) == names
    assert all(len(name) <= 32 for name in names)


@pytest.mark.usefixtures("database")
async def test_event_of_a_failed_transaction_is_gone_with_it() -> None:
    async def fails() -> None:
        async with db.transaction() as tx:
            await events.record(events.LOGIN, tx=tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()

    assert await db.fetch_all(sa.select(event_rows)) == []


# v5.0.0-16.2.1
async def test_row_says_when_where_who_and_which_request(client: Visitor) -> None:
    """v5.0.0-16.2.1"""
    person = await make_user()

    answer = await client.submit(
        "/login",
        {"email": person.email, "password": PASSWORD},
        headers={"User-Agent": "Evil\x1b[31m\tBrowser" + "x" * 500},
    )

    row = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == events.LOGIN))
    assert (row.user_id, row.actor_id, row.ip) == (person.id, person.id, "127.0.0.1")
    assert row.request_id == answer.headers["x-request-id"]
    assert row.user_agent.startswith("Evil?[31m?Browser")
    assert len(row.user_agent) == 255
    assert abs((row.at - db.utcnow()).total_seconds()) < 60


# v5.0.0-16.2.1
@pytest.mark.parametrize("path", ["/api/auth/refresh", "/auth/resume"])
@pytest.mark.parametrize("event", [events.SESSION_ROTATED, events.SESSION_REPLAYED])
async def test_renewal_says_where_which_device_and_which_request(client: Visitor, path: str, event: str) -> None:
    """It is written in a thread of the pool on SQLite, where the request's context has to be brought along."""
    pair = await sign_in(client, await make_user())
    client.drop_cookie("__Host-access")
    if event == events.SESSION_REPLAYED:  # the answer to the first one gets lost
        await client.call("POST", "/api/auth/refresh")
        client.drop_cookie("__Host-access")
        client.put_cookie("__Host-refresh", pair.refresh_token)

    ask = client.visit(path) if path == "/auth/resume" else client.call("POST", path)
    answer = await ask

    row = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == event))
    assert (row.ip, row.user_agent) == ("127.0.0.1", client.headers["user-agent"])
    assert row.request_id == answer.headers["x-request-id"]


async def test_picture_of_a_stolen_session_keeps_owner_and_attacker_apart(client: Visitor) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie("__Host-access")
    await client.call("POST", "/api/auth/refresh", headers={"User-Agent": "Firefox/142.0 (Linux)"})
    copied = {"refresh_token": client.cookie("__Host-refresh")}
    await client.call("POST", "/api/auth/refresh", json=copied, headers={"User-Agent": "curl/8.14.1"})
    session = await db.fetch_one(sa.select(session_rows))

    happened = session_history.of_session(session, await queries.of_session(session.user_id, session.id))

    assert [lane.name for lane in session_history.picture(happened).lanes] == ["Firefox on Linux", "curl"]


# v5.0.0-16.2.5
async def test_no_row_holds_a_password_or_a_token(client: Visitor) -> None:
    """v5.0.0-16.2.5"""
    person = await make_user()
    await client.submit("/login", {"email": person.email, "password": "typed-in-the-wrong-box"})
    await client.submit("/login", {"email": "typed-in-the-wrong-box", "password": PASSWORD})
    await client.submit("/login", {"email": person.email, "password": PASSWORD})
    client.drop_cookie("__Host-access")
    await client.visit("/auth/resume")
    await client.submit("/logout")

    rows = str(await db.fetch_all(sa.select(event_rows)))

    assert "typed-in-the-wrong-box" not in rows
    assert PASSWORD not in rows
    assert "eyJ" not in rows
    assert rows.count("login") >= 3
