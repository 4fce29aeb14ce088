"""PostgreSQL that accepts everything and answers nothing, and a lock that lasts: who waits is told to come back."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.auth import cookies
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.faults import HANGING_SECONDS, command, linux_only, neighbour, session_row
from tests.support.people import Person
from tests.support.postgres import Postgres
from tests.support.sent import bearer, browser
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio, linux_only]

# A fourth of the seconds in earnest.
HURRIED = """\
import sys
from app import db
bounds = sys.modules["app.db.database"]
bounds.STATEMENT_SECONDS, bounds.ANSWER_SECONDS = 2, 2.5
db.point_at(db.url())

# Which request asked the database for anything.
from app.web import client
opened = db._current_pool
def noted():
    print("ASKED", client.current().request_id, file=sys.stderr, flush=True)
    return opened()
db._current_pool = noted
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    postgres = Postgres()
    postgres.start()
    yield postgres
    postgres.thaw()
    postgres.stop()


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    program = command(tmp_path_factory.mktemp("hurried"), HURRIED)
    with running(command=program, DATABASE_URL=postgres.url, APP_DATABASE_POOL_SIZE="2") as server:
        yield server


@pytest.fixture
def frozen(pair: TokenPair, postgres: Postgres) -> Iterator[None]:
    """From after the sign-in to the end of the test."""
    postgres.freeze()
    yield
    postgres.thaw()


async def test_requests_that_need_the_database_get_503(
    frozen: None, client: httpx.AsyncClient, person: Person, pair: TokenPair
) -> None:
    without_access = browser(pair, cookies.refresh_name())
    login = {"email": person.email, "password": person.password}

    answers = await asyncio.gather(
        client.get("/dashboard", headers=browser(pair)),
        client.get("/api/auth/me", headers=bearer(pair)),
        client.get("/auth/resume", headers=without_access),
        client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token}),
        client.post("/api/auth/login", json=login),
        client.post("/api/auth/logout", headers=bearer(pair)),
    )

    assert [answer.status_code for answer in answers] == [503] * len(answers)
    assert {answer.headers["retry-after"] for answer in answers} == {"5"}
    assert not [answer for answer in answers if "set-cookie" in answer.headers]


async def test_what_is_the_same_for_everybody_asks_the_database_nothing_whatever_cookies_come_along(
    frozen: None, client: httpx.AsyncClient, server: Server, pair: TokenPair
) -> None:
    paths = ("/healthz", "/static/app.css", "/.well-known/jwks.json")
    answers = {
        (path, kind): await client.get(path, headers=headers)
        for path in paths
        for kind, headers in (("cookie", browser(pair)), ("bearer", bearer(pair)))
    }
    waits = await client.get("/dashboard", headers=browser(pair))

    log = server.logged(f"ASKED {waits.headers['x-request-id']}")
    for asked, answer in answers.items():
        assert answer.status_code == 200, asked
        assert f"ASKED {answer.headers['x-request-id']}" not in log, asked


async def test_everything_goes_on_once_it_answers_again(
    client: httpx.AsyncClient, server: Server, postgres: Postgres, pair: TokenPair
) -> None:
    body = {"refresh_token": pair.refresh_token}
    postgres.freeze()
    refused = await asyncio.gather(*(client.post("/api/auth/refresh", json=body) for _ in range(6)))
    postgres.thaw()

    renewed = await until_renewed(client, body)

    assert [answer.status_code for answer in refused] == [503] * 6
    assert forge.claims(renewed.json()["refresh_token"])["gen"] == 2
    row = await session_row(server, pair)
    assert (row.generation, row.revoked_at) == (2, None)
    pages = await asyncio.gather(*(client.get("/dashboard", headers=browser(pair)) for _ in range(20)))
    assert [page.status_code for page in pages] == [200] * 20


async def test_rotation_during_which_the_database_freezes_gets_503(
    client: httpx.AsyncClient, server: Server, postgres: Postgres, pair: TokenPair
) -> None:
    """Its row was read, its UPDATE waits for a lock when everything stops: whatever it did is found again."""
    body = {"refresh_token": pair.refresh_token}
    async with neighbour(server):
        stuck = asyncio.create_task(client.post("/api/auth/refresh", json=body))
        await until_somebody_waits_for_a_lock(server)
        postgres.freeze()
        refused = await stuck
        postgres.thaw()

    renewed = await until_renewed(client, body)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert forge.claims(renewed.json()["refresh_token"])["gen"] == 2
    assert (await session_row(server, pair)).revoked_at is None


async def test_waiting_too_long_for_a_lock_gets_503(client: httpx.AsyncClient, server: Server, pair: TokenPair) -> None:
    body = {"refresh_token": pair.refresh_token}
    async with neighbour(server):
        refused = await client.post("/api/auth/refresh", json=body)
    renewed = await client.post("/api/auth/refresh", json=body)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert forge.claims(renewed.json()["refresh_token"])["gen"] == 2


def test_no_request_of_this_file_failed_inside_the_server(server: Server) -> None:
    log = server.log()

    assert "Traceback" not in log, log[log.index("Traceback") :]
    assert " 500 " not in log


async def until_renewed(client: httpx.AsyncClient, body: dict[str, str]) -> httpx.Response:
    deadline = time.monotonic() + HANGING_SECONDS
    while (answer := await client.post("/api/auth/refresh", json=body)).status_code != 200:
        assert answer.status_code == 503
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return answer


async def until_somebody_waits_for_a_lock(server: Server) -> None:
    waits = sa.text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    deadline = time.monotonic() + HANGING_SECONDS
    async with server.database():
        while not await db.fetch_value(waits):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
