"""PostgreSQL gone for a while and back: what is answered meanwhile, and that everything goes on by itself."""

import asyncio
import time
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events, queries
from app.auth import cookies
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.faults import HANGING_SECONDS, command, session_row
from tests.support.people import Person
from tests.support.postgres import Postgres
from tests.support.sent import bearer, browser
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]

TRUSTED_FOR = 2.0  # seconds; five in earnest
SMALL = f"from app.auth.sessions import session_cache; session_cache.MAX_FEED_AGE = {TRUSTED_FOR}"

PRIVATE = [
    ("GET", "/dashboard"),
    ("GET", "/account"),
    ("POST", "/account"),
    ("GET", "/admin/users"),
    ("GET", "/step-up"),
    ("GET", "/api/auth/me"),
    ("GET", "/api/protected"),
]
RENEWING = [("GET", "/auth/resume"), ("POST", "/auth/resume"), ("POST", "/api/auth/refresh")]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    postgres = Postgres()
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    program = command(tmp_path_factory.mktemp("small"), SMALL)
    with running(command=program, DATABASE_URL=postgres.url, APP_DATABASE_POOL_SIZE="2") as server:
        yield server


@pytest.fixture
def gone(pair: TokenPair, postgres: Postgres) -> Iterator[None]:
    """No database, from after the sign-in to the end of the test."""
    postgres.stop()
    yield
    postgres.start()


# v5.0.0-16.5.2, v5.0.0-16.5.3
async def test_private_answers_are_503_and_no_cookie_is_touched(
    gone: None, client: httpx.AsyncClient, pair: TokenPair
) -> None:
    answers = [await client.request(method, path, headers=browser(pair)) for method, path in PRIVATE]

    assert [answer.status_code for answer in answers] == [503] * len(PRIVATE)
    assert_to_come_back_with_the_cookies_that_are_there(answers)


async def test_renewals_and_logins_are_503_and_no_cookie_is_touched(
    gone: None, client: httpx.AsyncClient, person: Person, pair: TokenPair
) -> None:
    login = {"email": person.email, "password": person.password}
    without_access = browser(pair, cookies.refresh_name())

    answers = [await client.request(method, path, headers=without_access) for method, path in RENEWING]
    answers.append(await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token}))
    answers.append(await client.post("/api/auth/login", json=login))
    answers.append(await client.post("/login", data=login, headers=browser(pair)))

    assert [answer.status_code for answer in answers] == [503] * len(answers)
    assert_to_come_back_with_the_cookies_that_are_there(answers)


async def test_public_pages_say_neither_signed_in_nor_signed_out(
    gone: None, client: httpx.AsyncClient, person: Person, pair: TokenPair
) -> None:
    for path in ("/", "/login"):
        page = await client.get(path, headers=browser(pair))

        assert page.status_code == 200
        assert "set-cookie" not in page.headers
        for word in ('action="/logout"', "not signed in", 'href="/login"', escape(person.name), person.email):
            assert word not in page.text, path


async def test_process_is_alive_and_what_needs_no_database_is_served(gone: None, client: httpx.AsyncClient) -> None:
    for path, status in {"/healthz": 200, "/static/app.css": 200, "/nothing": 404, "/dashboard": 303}.items():
        assert (await client.get(path, headers={"Accept": "text/html"})).status_code == status, path


async def test_logout_forgets_the_cookies_and_says_that_the_session_goes_on(
    client: httpx.AsyncClient, server: Server, postgres: Postgres, pair: TokenPair
) -> None:
    postgres.stop()

    page = await client.post("/logout", headers=browser(pair))

    postgres.start()
    assert page.status_code == 503
    assert page.headers["retry-after"] == "5"
    assert len([line for line in page.headers.get_list("set-cookie") if "Max-Age=0" in line]) == 2
    assert "could not be ended" in page.text
    assert (await session_row(server, pair)).revoked_at is None


async def test_cached_session_is_used_for_a_while_after_the_last_read_of_the_feed(
    client: httpx.AsyncClient, server: Server, postgres: Postgres, pair: TokenPair
) -> None:
    """Fail closed: nobody can know any more whether it was cancelled meanwhile."""
    await until_the_feed_is_heard(server)
    await until_served(client, pair)
    postgres.stop()
    last_news = time.monotonic()  # at the latest: a slow machine asks later, and never too late

    statuses: list[tuple[float, int]] = []
    while not statuses or statuses[-1][1] != 503:
        began = time.monotonic()
        assert began < last_news + HANGING_SECONDS
        statuses.append((began, (await client.get("/api/auth/me", headers=bearer(pair))).status_code))
        await asyncio.sleep(0.05)

    postgres.start()
    assert {status for _, status in statuses[:-1]} == {200}
    assert max(began for began, status in statuses if status == 200) <= last_news + TRUSTED_FOR


async def test_everybody_goes_on_without_a_login_once_it_is_back(
    client: httpx.AsyncClient, server: Server, postgres: Postgres, pair: TokenPair
) -> None:
    async def everywhere() -> list[int]:
        pages = (client.get("/dashboard", headers=browser(pair)) for _ in range(20))
        return [answer.status_code for answer in await asyncio.gather(*pages)]

    assert await everywhere() == [200] * 20  # the pool is full now, of connections that will break
    asking = asyncio.create_task(everywhere())
    postgres.stop()
    assert set(await asking) <= {200, 503}
    postgres.start()

    await until_served(client, pair)

    assert await everywhere() == [200] * 20
    renewed = await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})
    assert forge.claims(renewed.json()["refresh_token"])["gen"] == 2
    assert (await session_row(server, pair)).revoked_at is None
    assert server.process.poll() is None


async def test_session_that_is_renewed_all_the_time_survives(
    client: httpx.AsyncClient, server: Server, postgres: Postgres, person: Person, pair: TokenPair
) -> None:
    """Wherever the end meets a rotation: the client repeats what was not answered, and that is never reuse."""
    raw, statuses = pair.refresh_token, []

    async def renew_until(enough: Callable[[], Any]) -> None:
        nonlocal raw
        deadline = time.monotonic() + HANGING_SECONDS
        while not enough():
            assert time.monotonic() < deadline
            answer = await client.post("/api/auth/refresh", json={"refresh_token": raw})
            statuses.append(answer.status_code)
            if answer.status_code == 200:
                raw = answer.json()["refresh_token"]

    await renew_until(lambda: len(statuses) == 10)
    renewing = asyncio.create_task(renew_until(lambda: 503 in statuses and statuses[-1] == 200))
    await asyncio.to_thread(postgres.stop)
    await asyncio.to_thread(postgres.start)
    await renewing

    assert set(statuses) == {200, 503}
    row = await session_row(server, pair)
    assert row.revoked_at is None
    assert row.generation == forge.claims(raw)["gen"]
    async with server.database():
        happened = [event.event for event in await queries.of_user(person.id)]
    assert events.SESSION_REUSED not in happened


def test_no_request_of_this_file_failed_inside_the_server(server: Server) -> None:
    log = server.log()

    assert "Traceback" not in log, log[log.index("Traceback") :]
    assert "status=500" not in log


def assert_to_come_back_with_the_cookies_that_are_there(answers: list[httpx.Response]) -> None:
    for answer in answers:
        assert answer.headers["retry-after"] == "5", answer.url
        assert "set-cookie" not in answer.headers, answer.url


async def until_the_feed_is_heard(server: Server) -> None:
    """Since the database was started."""
    heard = sa.text("SELECT 1 FROM pg_stat_activity WHERE state = 'idle' AND query LIKE '%FROM % changes %'")
    deadline = time.monotonic() + HANGING_SECONDS
    async with server.database():
        while not await db.fetch_value(heard):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def until_served(client: httpx.AsyncClient, pair: TokenPair) -> None:
    deadline = time.monotonic() + HANGING_SECONDS
    while (status := (await client.get("/api/auth/me", headers=bearer(pair))).status_code) != 200:
        assert status == 503
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
