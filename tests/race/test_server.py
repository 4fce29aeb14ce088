"""Races and replays over HTTP, against a server process of its own."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events, queries
from app.auth import cookies
from app.auth.models import session_rows
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.sent import cookies_set
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


async def new_session(server: Server, role: str = "user") -> tuple[Person, TokenPair]:
    async with server.database():
        person = await make_user(role=role)
        return person, await start_session(person)


async def row_of(server: Server, pair: TokenPair) -> Any:
    """Read through a connection that the server has never seen."""
    async with server.database():
        sid = UUID(forge.claims(pair.refresh_token)["sid"])
        return await db.fetch_one(sa.select(session_rows).where(session_rows.c.id == sid))


def jar(pair: TokenPair, *, expired: bool = True) -> str:
    access = forge.expired(pair.access_token) if expired else pair.access_token
    return f"{cookies.access_name()}={access}; {cookies.refresh_name()}={pair.refresh_token}"


def browser(cookie: str, **more: str) -> dict[str, str]:
    navigation = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    return {"Accept": "text/html", "Cookie": cookie, **navigation, **more}


async def bearer_status(client: httpx.AsyncClient, access: str) -> int:
    return (await client.get("/api/auth/me", headers={"Authorization": f"Bearer {access}"})).status_code


@pytest.mark.parametrize("where", ["body", "cookie"])
async def test_twenty_parallel_refreshes_with_one_token_make_one_generation(server: Server, where: str) -> None:
    """R2"""
    _, pair = await new_session(server)
    async with httpx.AsyncClient(base_url=server.url) as client:

        async def refresh() -> httpx.Response:
            if where == "body":
                return await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})
            return await client.post("/api/auth/refresh", headers=browser(jar(pair)))

        answers = await asyncio.gather(*(refresh() for _ in range(20)))

    assert [answer.status_code for answer in answers] == [200] * 20
    if where == "body":
        handed = {forge.claims(answer.json()["refresh_token"])["gen"] for answer in answers}
    else:
        lines = [line for answer in answers for line in answer.headers.get_list("set-cookie")]
        assert len(lines) == 40
        assert not [line for line in lines if "Max-Age=0" in line]
        handed = {forge.claims(line.split("=", 1)[1].split(";")[0])["gen"] for line in lines}
    assert handed == {2}
    assert (await row_of(server, pair)).generation == 2


async def test_twenty_parallel_pages_with_an_expired_token_are_all_signed_in(server: Server) -> None:
    """R4: nobody is shown the login page, and one successor serves all."""
    person, pair = await new_session(server)
    async with httpx.AsyncClient(base_url=server.url) as client:

        async def visit() -> str:
            first = await client.get("/dashboard", headers=browser(jar(pair)))
            assert first.headers["location"] == "/auth/resume?next=%2Fdashboard"
            second = await client.get(first.headers["location"], headers=browser(jar(pair)))
            fresh = "; ".join(line.split(";")[0] for line in second.headers.get_list("set-cookie"))
            return (await client.get(second.headers["location"], headers=browser(fresh))).text

        pages = await asyncio.gather(*(visit() for _ in range(20)))

    assert all(person.email in page for page in pages)
    assert (await row_of(server, pair)).generation == 2


# v5.0.0-10.4.5
async def test_token_two_generations_old_ends_the_session_for_good(server: Server) -> None:
    """R11 over HTTP: 401, a fresh connection reads the revocation, and the newest access token is refused."""
    _, pair = await new_session(server)
    async with httpx.AsyncClient(base_url=server.url) as client:
        newest = pair.refresh_token
        for _ in range(2):
            body = (await client.post("/api/auth/refresh", json={"refresh_token": newest})).json()
            newest = body["refresh_token"]
        assert await bearer_status(client, body["access_token"]) == 200

        replay = await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})

        assert replay.status_code == 401
        row = await row_of(server, pair)
        assert (row.revoked_for, row.generation) == (events.REUSED, 3)
        assert await bearer_status(client, body["access_token"]) == 401
        assert (await client.post("/api/auth/refresh", json={"refresh_token": newest})).status_code == 401


async def test_attacker_first_victim_later_ends_both(server: Server) -> None:
    """R14: the victim's stale jar is asked once, comes back stale, and the attacker is out at once."""
    _, pair = await new_session(server)
    async with httpx.AsyncClient(base_url=server.url) as client:
        stolen = (await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})).json()
        assert await bearer_status(client, stolen["access_token"]) == 200
        await handed_earlier(server, pair, seconds=60)

        asked = await client.get("/auth/resume?next=/account", headers=browser(jar(pair)))
        assert asked.headers["location"].startswith("/auth/resume?next=%2Faccount&again=")
        told = await client.get(asked.headers["location"], headers=browser(jar(pair)))

        assert told.headers["location"] == "/login?next=%2Faccount&notice=session_ended"
        assert cookies_set(told) == ["__Host-ended"]  # no tokens, and the pages kept for "back" are dropped
        assert await bearer_status(client, stolen["access_token"]) == 401


async def test_form_posted_by_four_tabs_at_once_is_saved_four_times_and_never_lost(server: Server) -> None:
    """R9 with a race: each form goes through its own 307 chain."""
    person, pair = await new_session(server)
    async with httpx.AsyncClient(base_url=server.url) as client:

        async def post(name: str) -> int:
            form = {"name": name, "unknown": "x" * 5000}
            first = await client.post("/account", headers=browser(jar(pair)), data=form)
            second = await client.post(first.headers["location"], headers=browser(jar(pair)), data=form)
            fresh = "; ".join(line.split(";")[0] for line in second.headers.get_list("set-cookie"))
            third = await client.post(second.headers["location"], headers=browser(fresh), data=form)
            assert [first.status_code, second.status_code] == [307, 307]
            return third.status_code

        statuses = await asyncio.gather(*(post(f"Tab {number}") for number in range(4)))

    assert statuses == [303] * 4
    async with server.database():
        happened = [event.event for event in await queries.of_user(person.id)]
    assert happened.count(events.NAME_CHANGED) == 4


async def test_twenty_parallel_logins_are_twenty_sessions(server: Server) -> None:
    async with server.database():
        person = await make_user()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        login = {"email": person.email, "password": PASSWORD}

        answers = await asyncio.gather(*(client.post("/api/auth/login", json=login) for _ in range(20)))

    assert [answer.status_code for answer in answers] == [200] * 20
    async with server.database():
        rows = await db.fetch_all(sa.select(session_rows).where(session_rows.c.user_id == person.id))
    assert len({row.id for row in rows}) == 20


async def test_twenty_parallel_logouts_all_succeed_with_one_event(server: Server) -> None:
    person, pair = await new_session(server)
    async with httpx.AsyncClient(base_url=server.url) as client:
        posts = [client.post("/logout", headers=browser(jar(pair, expired=False))) for _ in range(20)]

        answers = await asyncio.gather(*posts)

    assert [answer.status_code for answer in answers] == [303] * 20
    async with server.database():
        happened = [row.event for row in await queries.of_user(person.id, limit=50)]
    assert happened.count(events.LOGOUT) == 1
    assert happened.count(events.SESSION_REVOKED) == 1


# v5.0.0-15.4.2
async def test_deactivation_amid_refreshes_and_logins_leaves_no_live_session(server: Server) -> None:
    """R22: whichever came first, nobody is in afterwards, and nothing fails."""
    person, pair = await new_session(server)
    admin, theirs = await new_session(server, role="admin")
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        login = {"email": person.email, "password": PASSWORD}
        close = client.post(f"/admin/users/{person.id}/deactivate", headers=browser(jar(theirs, expired=False)))
        refreshes = [client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token}) for _ in range(10)]
        logins = [client.post("/api/auth/login", json=login) for _ in range(6)]

        answers = await asyncio.gather(*refreshes[:5], *logins[:3], close, *refreshes[5:], *logins[3:])

        assert {answer.status_code for answer in answers} <= {200, 303, 401}
        for answer in answers:
            if answer.status_code == 200:
                assert await bearer_status(client, answer.json()["access_token"]) == 401
    async with server.database():
        live = session_rows.c.user_id == person.id, session_rows.c.revoked_at.is_(None)
        assert await db.fetch_all(sa.select(session_rows).where(*live)) == []
    assert admin.id != person.id


async def test_step_up_amid_refreshes_leaves_one_live_session(server: Server) -> None:
    """R22: the new session takes over; a refresh of the old one is refused or was before it."""
    person, pair = await new_session(server)
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        headers = browser(jar(pair, expired=False))
        again = [client.post("/step-up", headers=headers, data={"password": PASSWORD}) for _ in range(4)]
        refreshes = [client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token}) for _ in range(6)]

        answers = await asyncio.gather(*again, *refreshes)

    assert {answer.status_code for answer in answers} <= {200, 303, 401, 422}
    assert [answer for answer in answers[:4] if "set-cookie" in answer.headers]
    async with server.database():
        live = session_rows.c.user_id == person.id, session_rows.c.revoked_at.is_(None)
        assert len(await db.fetch_all(sa.select(session_rows).where(*live))) == 1


# v5.0.0-15.4.2
async def test_password_change_amid_refreshes_leaves_the_session_that_made_it(server: Server) -> None:
    """R22: the browser that changed it stays signed in, with new cookies; every older token pair is refused."""
    person, here = await new_session(server)
    async with server.database():
        elsewhere = await start_session(person)
    fields = {"current_password": PASSWORD, "new_password": "a wholly other passphrase"}
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        change = client.post("/account/password", headers=browser(jar(here, expired=False)), data=fields)
        bodies = [{"refresh_token": pair.refresh_token} for pair in (here, elsewhere) for _ in range(5)]
        refreshes = [client.post("/api/auth/refresh", json=body) for body in bodies]

        refreshed = await asyncio.gather(*refreshes[:3], change, *refreshes[3:])
        changed = refreshed.pop(3)

        assert changed.status_code == 303
        for answer in refreshed:
            assert answer.status_code in (200, 401)
            if answer.status_code == 200:
                assert await bearer_status(client, answer.json()["access_token"]) == 401
        assert await bearer_status(client, changed.cookies[cookies.access_name()]) == 200
    async with server.database():
        live = session_rows.c.user_id == person.id, session_rows.c.revoked_at.is_(None)
        assert len(await db.fetch_all(sa.select(session_rows).where(*live))) == 1


def test_no_request_of_this_file_failed_inside_the_server(server: Server) -> None:
    assert "Traceback" not in server.log()
    assert "status=500" not in server.log()


async def handed_earlier(server: Server, pair: TokenPair, seconds: int) -> None:
    """As if the newest pair had been handed out so long ago: the database's clock cannot be moved, its rows can."""
    row = await row_of(server, pair)
    async with server.database():
        earlier = row.handed_at.timestamp() - seconds
        moved = type(row.handed_at).fromtimestamp(earlier, row.handed_at.tzinfo)
        await db.execute(sa.update(session_rows).where(session_rows.c.id == row.id).values(handed_at=moved))
