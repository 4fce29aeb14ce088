"""A neighbour that holds a lock for long: who has to wait is told to come back, and no connection is lost over it."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.auth.tokens import TokenPair
from tests.support import database as databases
from tests.support import forge
from tests.support.faults import HANGING_SECONDS, ONCE, command, neighbour, session_row
from tests.support.people import Person, make_user, start_session
from tests.support.sent import bearer, browser
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]

SIZE = 2
HURRIED = "from app.db import pool; pool.POOL_SECONDS = 0.3"
IMPATIENT = "from app.db import sqlite; sqlite.PRAGMAS = ('busy_timeout=300', *sqlite.PRAGMAS[1:])"

sqlite_only = pytest.mark.skipif(databases.POSTGRESQL, reason="PostgreSQL locks rows, not the whole file")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two connections to the database, and little patience with who holds them."""
    program = command(tmp_path_factory.mktemp("small"), HURRIED)
    with running(command=program, APP_DATABASE_POOL_SIZE=str(SIZE)) as server:
        yield server


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SQLite's busy_timeout is 0.3 seconds."""
    with running(command=command(tmp_path_factory.mktemp("impatient"), IMPATIENT)) as server:
        yield server


# v5.0.0-13.1.2, v5.0.0-13.2.6
async def test_request_without_a_free_connection_gets_503(small: Server) -> None:
    raws = [(await new_session(small)).refresh_token for _ in range(SIZE)]
    async with httpx.AsyncClient(base_url=small.url, timeout=HANGING_SECONDS, limits=ONCE) as client:
        reader = await one_who_only_reads(client, small)
        async with neighbour(small):
            stuck = [asyncio.create_task(refresh(client, raw)) for raw in raws]
            await until_no_connection_is_free(client, reader)

            visits = [client.get(path, headers=reader) for path in 4 * ["/dashboard", "/account/activity"]]
            others = await asyncio.gather(*visits)

            assert (await client.get("/healthz")).status_code == 200
        answers = await asyncio.gather(*stuck)

    assert [answer.status_code for answer in others] == [503] * 8
    assert {answer.headers["retry-after"] for answer in others} == {"5"}
    assert not [answer for answer in others if "set-cookie" in answer.headers]
    assert [answer.status_code for answer in answers] == [200] * SIZE


async def test_every_connection_is_there_again_afterwards(small: Server) -> None:
    """As many wait for the lock as there are connections, several times: were one lost, one of them would be 503."""
    raws = [(await new_session(small)).refresh_token for _ in range(SIZE)]
    async with httpx.AsyncClient(base_url=small.url, timeout=HANGING_SECONDS, limits=ONCE) as client:
        reader = await one_who_only_reads(client, small)
        for generation in (2, 3, 4):
            async with neighbour(small):
                stuck = [asyncio.create_task(refresh(client, raw)) for raw in raws]
                for _ in range(2):
                    await until_no_connection_is_free(client, reader)
            answers = await asyncio.gather(*stuck)

            assert [answer.status_code for answer in answers] == [200] * SIZE
            raws = [answer.json()["refresh_token"] for answer in answers]
            assert {forge.claims(raw)["gen"] for raw in raws} == {generation}


async def test_clients_that_stop_waiting_for_a_connection_lose_none(small: Server) -> None:
    raws = [(await new_session(small)).refresh_token for _ in range(SIZE)]
    async with httpx.AsyncClient(base_url=small.url, timeout=HANGING_SECONDS, limits=ONCE) as client:
        reader = await one_who_only_reads(client, small)
        async with neighbour(small):
            leaving = [asyncio.create_task(refresh(client, raw)) for raw in 5 * raws]
            await until_no_connection_is_free(client, reader)
            for task in leaving:
                task.cancel()
            await asyncio.wait(leaving)
        await until_a_connection_is_free(client, reader)

        answers = await asyncio.gather(*(refresh(client, raw) for raw in raws))

    assert [answer.status_code for answer in answers] == [200] * SIZE
    assert {forge.claims(answer.json()["refresh_token"])["gen"] for answer in answers} == {2}


@sqlite_only
async def test_writers_get_503_while_the_file_stays_locked(impatient: Server) -> None:
    """And readers are served: what they remember, and what they look up."""
    person, pair = await new_person(impatient), await new_session(impatient)
    login = {"email": person.email, "password": person.password}
    async with httpx.AsyncClient(base_url=impatient.url, timeout=HANGING_SECONDS, limits=ONCE) as client:
        async with neighbour(impatient):
            answers = [
                await refresh(client, pair.refresh_token),
                await client.post("/api/auth/login", json=login),
                await client.post("/account", data={"name": "A"}, headers=bearer(pair)),
            ]
            pages = [await client.get(path, headers=bearer(pair)) for path in ("/dashboard", "/account", "/")]
        again = await refresh(client, pair.refresh_token)

    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer.headers["retry-after"] for answer in answers} == {"5"}
    assert [page.status_code for page in pages] == [200] * 3
    assert forge.claims(again.json()["refresh_token"])["gen"] == 2


@sqlite_only
async def test_logout_from_a_locked_file_says_that_the_session_goes_on(impatient: Server) -> None:
    pair = await new_session(impatient)
    async with (
        httpx.AsyncClient(base_url=impatient.url, timeout=HANGING_SECONDS, limits=ONCE) as client,
        neighbour(impatient),
    ):
        page = await client.post("/logout", headers=browser(pair))

    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert len([line for line in page.headers.get_list("set-cookie") if "Max-Age=0" in line]) == 2
    assert "could not be ended" in page.text
    assert (await session_row(impatient, pair)).revoked_at is None


@sqlite_only
async def test_directory_moved_away_and_back_ends_no_session(impatient: Server) -> None:
    """Connections that are open stay good; new ones cannot be opened meanwhile."""
    raw = (await new_session(impatient)).refresh_token
    folder = Path(impatient.db_url.partition("///")[2]).parent
    async with httpx.AsyncClient(base_url=impatient.url, timeout=HANGING_SECONDS, limits=ONCE) as client:
        reader = await one_who_only_reads(client, impatient)
        elsewhere = folder.rename(folder.with_name("elsewhere"))
        try:
            pages = await asyncio.gather(*(client.get("/dashboard", headers=reader) for _ in range(20)))
            first = await refresh(client, raw)
        finally:
            elsewhere.rename(folder)
        if first.status_code == 200:
            raw = first.json()["refresh_token"]
        second = await refresh(client, raw)
        later = await asyncio.gather(*(client.get("/dashboard", headers=reader) for _ in range(20)))

    assert {page.status_code for page in [*pages, first]} <= {200, 503}
    assert second.status_code == 200
    assert [page.status_code for page in later] == [200] * 20


@pytest.mark.parametrize("name", ["small", pytest.param("impatient", marks=sqlite_only)])
def test_no_request_of_this_file_failed_inside_the_server(request: pytest.FixtureRequest, name: str) -> None:
    log = request.getfixturevalue(name).log()

    assert "Traceback" not in log, log[log.index("Traceback") :]
    assert "status=500" not in log


async def new_person(server: Server) -> Person:
    async with server.database():
        return await make_user()


async def new_session(server: Server) -> TokenPair:
    person = await new_person(server)
    async with server.database():
        return await start_session(person)


async def one_who_only_reads(client: httpx.AsyncClient, server: Server) -> dict[str, str]:
    """The headers of somebody whose token is known to have arrived: nothing more has to be written for it."""
    headers = bearer(await new_session(server))
    assert (await client.get("/dashboard", headers=headers)).status_code == 200
    return headers


async def refresh(client: httpx.AsyncClient, raw: str) -> httpx.Response:
    return await client.post("/api/auth/refresh", json={"refresh_token": raw})


async def until_no_connection_is_free(client: httpx.AsyncClient, reader: dict[str, str]) -> None:
    await _until(503, client, reader)


async def until_a_connection_is_free(client: httpx.AsyncClient, reader: dict[str, str]) -> None:
    await _until(200, client, reader)


async def _until(status: int, client: httpx.AsyncClient, reader: dict[str, str]) -> None:
    deadline = time.monotonic() + HANGING_SECONDS
    while (seen := (await client.get("/dashboard", headers=reader)).status_code) != status:
        assert time.monotonic() < deadline, f"still {seen}"
        await asyncio.sleep(0.02)
