"""A database that takes no writes, or has no room: who is signed in reads on, whatever changes something waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from app.auth import cookies
from app.auth.tokens import TokenPair
from tests.support import database as databases
from tests.support import forge
from tests.support.faults import HANGING_SECONDS, disk_full, linux_only, read_only, session_row
from tests.support.people import PASSWORD, Person, start_session
from tests.support.sent import bearer, browser
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio, linux_only]

FAULTS = [read_only, disk_full] if databases.POSTGRESQL else [read_only]  # under SQLite they are one


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
async def reader(server: Server, person: Person) -> TokenPair:
    """Another session of the same person, for looking whether the database answers."""
    async with server.database():
        return await start_session(person)


@pytest.fixture(params=FAULTS)
async def unwritable(
    request: pytest.FixtureRequest, server: Server, client: httpx.AsyncClient, pair: TokenPair, reader: TokenPair
) -> AsyncIterator[None]:
    """From after the sign-in to the end of the test."""
    async with request.param(server):
        await until_readable(client, reader)
        yield


async def test_pages_of_people_who_are_signed_in_are_served(
    unwritable: None, client: httpx.AsyncClient, person: Person, pair: TokenPair
) -> None:
    for path in ("/dashboard", "/account", "/api/auth/me", "/api/protected"):
        assert (await client.get(path, headers=browser(pair))).status_code == 200, path


async def test_whatever_writes_is_503_and_no_cookie_is_touched(
    unwritable: None, client: httpx.AsyncClient, person: Person, pair: TokenPair
) -> None:
    login = {"email": person.email, "password": PASSWORD}
    without_access = browser(pair, cookies.refresh_name())

    answers = [
        await client.post("/login", data=login, headers=browser(pair)),
        await client.post("/api/auth/login", json=login),
        await client.post("/api/auth/login", json=login | {"password": "wrong"}),
        await client.post("/step-up", data={"password": PASSWORD}, headers=browser(pair)),
        await client.get("/auth/resume", headers=without_access),
        await client.post("/api/auth/refresh", headers=without_access),
        await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token}),
        await client.post("/api/auth/logout", headers=bearer(pair)),
        await client.post("/account", data={"name": "A"}, headers=browser(pair)),
        await client.post("/account", data={"name": "A"}, headers=bearer(pair)),
    ]

    assert [answer.status_code for answer in answers] == [503] * len(answers)
    for answer in answers:
        assert answer.headers["retry-after"] == "5", answer.url
        assert "set-cookie" not in answer.headers, answer.url


async def test_refusal_is_still_a_refusal_and_stands_in_the_log(
    unwritable: None, client: httpx.AsyncClient, server: Server, person: Person, pair: TokenPair
) -> None:
    """The audit log takes nothing. That makes nobody an admin, and coming back later would not either: no 503."""
    page = await client.get("/admin/users", headers=browser(pair))

    assert page.status_code == 403
    assert "retry-after" not in page.headers
    if databases.POSTGRESQL:  # the full disk under SQLite takes no log either
        request_id = page.headers["x-request-id"]
        server.logged(rf"audit_event_unrecorded .*request_id={request_id}")


@pytest.mark.parametrize("path", ["/logout", "/api/auth/logout"])
async def test_logout_forgets_the_cookies_and_says_that_the_session_goes_on(
    unwritable: None, client: httpx.AsyncClient, server: Server, pair: TokenPair, path: str
) -> None:
    answer = await client.post(path, headers=browser(pair))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert len([line for line in answer.headers.get_list("set-cookie") if "Max-Age=0" in line]) == 2
    assert "could not be ended" in answer.text
    assert (await session_row(server, pair)).revoked_at is None


@pytest.mark.parametrize("fault", FAULTS)
async def test_refused_renewal_has_cost_nothing_once_writing_is_possible_again(
    client: httpx.AsyncClient, server: Server, pair: TokenPair, reader: TokenPair, fault: Any
) -> None:
    body = {"refresh_token": pair.refresh_token}
    async with fault(server):
        await until_readable(client, reader)
        refused = [await client.post("/api/auth/refresh", json=body) for _ in range(5)]
    await until_readable(client, reader)

    renewed = await client.post("/api/auth/refresh", json=body)

    assert [answer.status_code for answer in refused] == [503] * 5
    assert forge.claims(renewed.json()["refresh_token"])["gen"] == 2
    row = await session_row(server, pair)
    assert (row.generation, row.revoked_at) == (2, None)


def test_no_request_of_this_file_failed_inside_the_server(server: Server) -> None:
    log = server.log()

    assert "Traceback" not in log, log[log.index("Traceback") :]
    assert "status=500" not in log


async def until_readable(client: httpx.AsyncClient, reader: TokenPair) -> None:
    """Connections that were cut are found out when they are used."""
    deadline = time.monotonic() + HANGING_SECONDS
    while (status := (await client.get("/dashboard", headers=bearer(reader))).status_code) != 200:
        assert status == 503
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
