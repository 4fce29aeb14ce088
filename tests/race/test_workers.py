"""Several processes on one database: one generation, revocation everywhere, a change of keys that nobody notices."""

import asyncio
import itertools
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.auth import cookies, key_rotation
from app.auth.accounts import user_admin
from app.auth.models import session_rows
from app.auth.sessions import session_cache
from app.auth.tokens import TokenPair
from tests.support import database as databases
from tests.support import forge
from tests.support.people import Person, make_user, start_session
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Server, Server]]:
    """Two servers on one database with one secret: two workers whom a test can tell apart."""
    with running() as first, running(DATABASE_URL=first.db_url) as second:
        yield first, second


async def new_session(server: Server, role: str = "user") -> tuple[Person, TokenPair]:
    async with server.database():
        person = await make_user(role=role)
        return person, await start_session(person)


async def status(server: Server, path: str, pair: TokenPair) -> int:
    bearer = {"Authorization": f"Bearer {pair.access_token}", "Accept": "text/html"}
    async with httpx.AsyncClient(base_url=server.url) as client:
        return (await client.get(path, headers=bearer)).status_code


async def until(server: Server, path: str, pair: TokenPair, wanted: int) -> None:
    """Ask until the answer is the wanted one; give up when even a worker that hears nothing asks the rows."""
    deadline = time.monotonic() + session_cache.MAX_FEED_AGE
    while (seen := await status(server, path, pair)) != wanted:
        assert time.monotonic() < deadline, f"still {seen}"
        await asyncio.sleep(session_cache.READ_EVERY / 5)


# v5.0.0-15.4.2, v5.0.0-15.4.3
async def test_two_hundred_parallel_refreshes_on_two_workers_make_one_generation() -> None:
    """R3: no 500, no deadlock."""
    with running(workers=2) as server:
        _, pair = await new_session(server)
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
            body = {"refresh_token": pair.refresh_token}
            answers = await asyncio.gather(*(client.post("/api/auth/refresh", json=body) for _ in range(200)))

        assert [answer.status_code for answer in answers] == [200] * 200
        assert {forge.claims(answer.json()["refresh_token"])["gen"] for answer in answers} == {2}
        async with server.database():
            assert await db.fetch_value(sa.select(session_rows.c.generation)) == 2
        assert "Traceback" not in server.log()


# v5.0.0-7.4.1
async def test_revocation_reaches_the_other_worker(two: tuple[Server, Server]) -> None:
    here, there = two
    _, pair = await new_session(here)
    for server in two:
        assert [await status(server, "/api/auth/me", pair) for _ in range(2)] == [200, 200]
    async with httpx.AsyncClient(base_url=here.url) as client:
        await client.post("/api/auth/logout", headers={"Authorization": f"Bearer {pair.access_token}"})

    assert await status(here, "/api/auth/me", pair) == 401  # at once
    await until(there, "/api/auth/me", pair, 401)


# v5.0.0-8.3.2
async def test_demoted_admin_loses_the_area_in_every_worker(two: tuple[Server, Server]) -> None:
    person, pair = await new_session(two[0], role="admin")
    for server in two:
        assert await status(server, "/admin/users", pair) == 200
    async with two[0].database():
        admin = await make_user(role="admin")
        await user_admin.change(person.id, admin.id, role="user")

    for server in two:
        await until(server, "/admin/users", pair, 403)


async def test_generation_issued_by_one_worker_is_valid_at_the_other_at_once(two: tuple[Server, Server]) -> None:
    here, there = two
    _, pair = await new_session(here)
    async with httpx.AsyncClient(base_url=here.url) as client:
        body = (await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})).json()
    following = TokenPair(body["access_token"], body["refresh_token"], 900, 0)

    assert await status(there, "/api/auth/me", following) == 200


async def test_workers_whose_clocks_are_a_minute_apart_find_no_reuse() -> None:
    """R21: the second server's clock runs a minute ahead (a clock of its own, in its own process)."""
    ahead = (
        "import datetime as d; from app import db; now = db.utcnow; db.utcnow = lambda: now() + d.timedelta(seconds=60)"
    )
    program = f"import sys; sys.argv = ['app', 'serve']; {ahead}; from app.__main__ import main; sys.exit(main())"
    with running() as right, running(command=[sys.executable, "-c", program], DATABASE_URL=right.db_url) as fast:
        _, pair = await new_session(right)
        servers = itertools.cycle((right, fast))
        raw = pair.refresh_token
        for _ in range(6):
            async with httpx.AsyncClient(base_url=next(servers).url) as client:
                answer = await client.post("/api/auth/refresh", json={"refresh_token": raw})
                assert answer.status_code == 200
                raw, access = answer.json()["refresh_token"], answer.json()["access_token"]
            for server in (right, fast):
                handed = TokenPair(access, raw, 0, 0)
                assert await status(server, "/api/auth/me", handed) == 200


class Browser:
    """A visitor behind a load balancer: each request goes to whichever server is up."""

    def __init__(self, pair: TokenPair) -> None:
        self.jar = {cookies.access_name(): pair.access_token, cookies.refresh_name(): pair.refresh_token}
        self.seen: list[str] = []

    async def visit(self, client: httpx.AsyncClient, up: list[Server], turn: int) -> None:
        path = "/dashboard"
        for hop in range(4):
            headers = {
                "Accept": "text/html",
                "Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items()),
                "Sec-Fetch-Site": "same-origin",
            }
            answer = await client.get(up[(turn + hop) % len(up)].url + path, headers=headers)
            for line in answer.headers.get_list("set-cookie"):
                name, value = line.split(";")[0].split("=", 1)
                self.jar[name] = value
            self.seen.append(f"{answer.status_code} {path.split('?')[0]}")
            if answer.status_code != 303:
                return
            path = answer.headers["location"]

    def expire(self) -> None:
        self.jar.pop(cookies.access_name(), None)


# v5.0.0-13.3.4
async def test_key_rotation_in_a_rolling_restart_ends_no_session(tmp_path: Path) -> None:
    """R24: three restarts of two servers, one after the other, under fifty browsers: no forced login, no 5xx."""
    settings = tmp_path / "settings"
    settings.write_text(f"APP_SECRET_KEY={secrets.token_urlsafe(48)}\n")
    db_url = databases.fresh(tmp_path)

    def start(stack: ExitStack) -> Server:
        values = dict(line.split("=", 1) for line in settings.read_text().splitlines())
        return stack.enter_context(running(DATABASE_URL=db_url, **values))

    stacks = [ExitStack(), ExitStack()]
    up = [start(stack) for stack in stacks]
    browsers = await fifty(up[0])
    limits = httpx.Limits(max_connections=20)
    try:
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:

            async def everybody() -> None:
                await asyncio.gather(*(one.visit(client, list(up), number) for number, one in enumerate(browsers)))

            restarts = itertools.count()
            for step in key_rotation.STEPS:
                if step == "drop":  # everybody has been handed new tokens by now
                    for browser in browsers:
                        browser.expire()
                    await everybody()
                key_rotation.change(settings, step)
                for index in (0, 1):
                    leaving = up.pop(0)
                    await everybody()  # one server alone
                    await asyncio.to_thread(stacks[index].close)
                    assert leaving.process.poll() is not None
                    stacks[index] = ExitStack()
                    up.append(await asyncio.to_thread(start, stacks[index]))
                    for browser in browsers[
                        next(restarts) :: 6
                    ]:  # few each: many resumes within seconds mean no cookies
                        browser.expire()
                    await everybody()  # an old and a new one
    finally:
        for stack in stacks:
            stack.close()

    seen = [answer for browser in browsers for answer in browser.seen]
    assert not [answer for answer in seen if answer.startswith("5")]
    assert not [answer for answer in seen if "/login" in answer]
    assert seen.count("303 /auth/resume") >= 100


async def fifty(server: Server) -> list[Browser]:
    """Their tokens are signed with the server's secret: they are handed out by its own login."""
    async with server.database():
        person = await make_user()
    body: dict[str, Any] = {"email": person.email, "password": person.password}
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=httpx.Limits(max_connections=10)) as client:
        answers = await asyncio.gather(*(client.post("/api/auth/login", json=body) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    pairs = [answer.json() for answer in answers]
    made = [Browser(TokenPair(pair["access_token"], pair["refresh_token"], 0, 0)) for pair in pairs]
    for browser in made:
        browser.expire()
    return made
