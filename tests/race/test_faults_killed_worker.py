"""A worker killed in the middle of a rotation: the client never gets its answer, and stays signed in."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import cookies
from app.auth.models import session_rows
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.faults import KILLED_AT, command, linux_only, session_row, workers
from tests.support.people import make_user, start_session
from tests.support.sent import browser
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio, linux_only]

HANGING_SECONDS = 30

KILLED = f"""{KILLED_AT}
from app import db
from app.auth import tokens

def issue_pair(*arguments, issue_pair=tokens.issue_pair, **options):
    killed_at("after the commit")
    return issue_pair(*arguments, **options)

async def at_once(work, at_once=db.run_in_transaction):
    def killed(connection):
        result = work(connection)
        killed_at("before the commit")
        return result
    return await at_once(killed)

async def statement(work, statement=db.run_statement):
    # On PostgreSQL a rotation is one statement, which is committed with its end.
    def killed(connection):
        if work.__module__ == "app.auth.sessions.rotation":
            killed_at("before the commit")
        return work(connection)
    return await statement(killed)

tokens.issue_pair, db.run_in_transaction, db.run_statement = issue_pair, at_once, statement
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """Two workers, each of which kills itself at the place whose name is a file in `folder`."""
    with running(command=command(folder, KILLED.format(folder=str(folder)), workers=2)) as server:
        yield server


@pytest.mark.parametrize("place", ["before the commit", "after the commit"])
async def test_client_of_a_killed_worker_gets_the_lost_response(server: Server, folder: Path, place: str) -> None:
    """However late it comes back with its old token: one generation, no reuse."""
    pair = await new_session(server)
    body = {"refresh_token": pair.refresh_token}
    (folder / place).touch()
    with pytest.raises(httpx.TransportError):
        await post(server, "/api/auth/refresh", json=body)
    assert (await session_row(server, pair)).generation == (2 if place == "after the commit" else 1)
    await handed_an_hour_ago(server, pair)

    answer = await until_served(server, "/api/auth/refresh", json=body)

    assert answer.status_code == 200
    assert forge.claims(answer.json()["refresh_token"])["gen"] == 2
    row = await session_row(server, pair)
    assert (row.generation, row.revoked_at) == (2, None)
    happened = await events_of(server, pair)
    assert events.SESSION_REUSED not in happened
    assert happened.count(events.SESSION_ROTATED) == 1


async def test_browser_of_a_killed_worker_gets_its_cookies_at_the_next_visit(server: Server, folder: Path) -> None:
    pair = await new_session(server)
    headers = browser(pair, cookies.refresh_name())
    (folder / "after the commit").touch()
    with pytest.raises(httpx.TransportError):
        await post(server, "/auth/resume?next=/account", headers=headers)

    answer = await until_served(server, "/auth/resume?next=/account", headers=headers)

    assert (answer.status_code, answer.headers["location"]) == (307, "/account")
    kept = dict(line.split(";")[0].split("=", 1) for line in answer.headers.get_list("set-cookie"))
    assert forge.claims(kept[cookies.refresh_name()])["gen"] == 2
    assert (await session_row(server, pair)).revoked_at is None


async def test_killed_worker_is_replaced(server: Server, folder: Path) -> None:
    pair = await new_session(server)
    before = until_there_are_two(server)
    (folder / "after the commit").touch()
    with pytest.raises(httpx.TransportError):
        await post(server, "/api/auth/refresh", json={"refresh_token": pair.refresh_token})

    after = until_there_are_two(server, without=before)

    assert len(before & after) == 1


def until_there_are_two(server: Server, without: set[int] = frozenset()) -> set[int]:
    """The ids of both workers; not all of them are among `without`."""
    deadline = time.monotonic() + HANGING_SECONDS
    while len(found := workers(server)) != 2 or found == without:
        assert time.monotonic() < deadline, f"workers: {found}"
        time.sleep(0.02)
    return found


async def new_session(server: Server) -> TokenPair:
    async with server.database():
        return await start_session(await make_user())


async def post(server: Server, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, timeout=HANGING_SECONDS) as client:
        return await client.post(path, **options)


async def until_served(server: Server, path: str, **options: Any) -> httpx.Response:
    """As a client with a bad line does it: again, until there is an answer."""
    deadline = time.monotonic() + HANGING_SECONDS
    while True:
        try:
            return await post(server, path, **options)
        except httpx.TransportError:
            assert time.monotonic() < deadline


async def events_of(server: Server, pair: TokenPair) -> list[str]:
    async with server.database():
        rows = await db.fetch_all(sa.select(event_rows.c.event).where(event_rows.c.session_id == sid_of(pair)))
    return [row.event for row in rows]


async def handed_an_hour_ago(server: Server, pair: TokenPair) -> None:
    """The database's clock cannot be moved; its rows can."""
    row = await session_row(server, pair)
    async with server.database():
        earlier = row.handed_at - timedelta(hours=1)
        await db.execute(sa.update(session_rows).where(session_rows.c.id == row.id).values(handed_at=earlier))


def sid_of(pair: TokenPair) -> UUID:
    return UUID(forge.claims(pair.refresh_token)["sid"])
