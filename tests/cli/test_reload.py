"""`make dev`: changed code and settings start it anew, changed templates reach the browser, production has neither."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.dev import reload
from app.main import create_app, route_table
from app.settings import get_settings
from tests.support.copies import copied
from tests.support.server import free_port, running

pytestmark = pytest.mark.anyio
PRODUCTION = {"APP_ENV": "production", "APP_ARGON2_MEMORY_KIB": "19456", "PUBLIC_ORIGIN": "https://localhost"}
PATIENCE = 120  # seconds: for a machine that does much else


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return copied(tmp_path / "clone")


@pytest.fixture
def address(clone: Path) -> Iterator[str]:
    """Of a server that `make dev` runs on a copy of this tree."""
    port = str(free_port())
    others = ("PYTEST", "TEST_", "APP_ENV_FILE")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    variables = {"PORT": port, "HOST": "127.0.0.1", "DATABASE_URL": f"sqlite+aiosqlite:///{clone}/x.db"}
    command = [sys.executable, "-m", "app.cli.reload"]
    with (clone / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=clone, env=ours | variables, stdout=log, stderr=log)
    yield f"http://localhost:{port}"
    process.terminate()
    assert process.wait(PATIENCE) == 0


async def until(found: Callable[[str], object], address: str) -> str:
    """The page, as soon as it is as it should be."""
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as client:
        while True:
            try:
                page = (await client.get(address, headers={"Accept": "text/html"})).text
                if found(page):
                    return page
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def told(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        if line == "data: changed":
            return


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


async def test_changed_code_is_served_and_changed_templates_reach_the_browser(clone: Path, address: str) -> None:
    page = await until(lambda page: "</html>" in page, f"{address}/login")
    assert '<script type="module" src="/dev/reload.js">' in page
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient(timeout=None) as client:
        assert "EventSource" in (await client.get(f"{address}/dev/reload.js")).text
        async with client.stream("GET", f"{address}/dev/reload") as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "retry: 200"
            changes = asyncio.create_task(told(lines))
            number = 0
            while not changes.done():  # until the watcher has begun
                (clone / "templates" / "base.html").write_text(f"<p>Line {(number := number + 1)}</p></html>")
                await asyncio.wait([changes], timeout=0.5)
    assert await until(lambda page: f"Line {number}" in page, f"{address}/login")

    change(clone / "app" / "ops" / "endpoints.py", '"ok"', '"changed"')
    assert await until(lambda text: "changed" in text, f"{address}/healthz")


async def test_code_that_does_not_start_is_told_and_started_when_it_is_mended(clone: Path, address: str) -> None:
    await until(lambda page: "</html>" in page, f"{address}/login")
    broken = clone / "app" / "web" / "templates.py"

    change(broken, 'APP_NAME = "Lanyard"', "APP_NAME = (")
    async with asyncio.timeout(PATIENCE):
        while "SyntaxError" not in (clone / "log").read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    change(broken, "APP_NAME = (", 'APP_NAME = "Mended"')

    assert await until(lambda page: "Mended" in page, f"{address}/login")


async def test_changed_settings_are_used(clone: Path, address: str) -> None:
    await until(lambda page: "</html>" in page, f"{address}/login")
    env = clone / ".env"

    env.write_text("APP_REGISTRATION=closed\n")
    await until(lambda page: 'href="/register"' not in page, f"{address}/login")
    new = clone / "new"  # as an editor saves a file
    new.write_text("APP_REGISTRATION=open\n")
    new.replace(env)
    await until(lambda page: 'href="/register"' in page, f"{address}/login")

    assert ".env has changed: starting again" in (clone / "log").read_text()


# v5.0.0-15.2.3
@pytest.mark.parametrize("env", ["production", "development"])
def test_only_make_dev_has_it(monkeypatch: pytest.MonkeyPatch, env: str) -> None:
    """The variable alone does nothing in production, and `make run` has no variable."""
    monkeypatch.setattr(get_settings(), "env", env)
    if env == "production":
        monkeypatch.setenv("APP_RELOAD", "on")

    assert not reload.under_make_dev(get_settings())
    assert not [row for row in route_table() if "reload" in row["path"]]
    create_app()


def test_pages_of_production_do_not_name_it() -> None:
    with running(**PRODUCTION, APP_RELOAD="on") as server:
        page = httpx.get(f"http://127.0.0.1:{server.port}/login", headers={"Host": "localhost", "Accept": "text/html"})
        answer = httpx.get(f"http://127.0.0.1:{server.port}/dev/reload", headers={"Host": "localhost"})

    assert page.status_code == 200
    assert not re.search("reload", page.text)
    assert answer.status_code == 404


def test_open_streams_are_bounded_and_given_back() -> None:
    with running(APP_RELOAD="on") as server, httpx.Client(timeout=PATIENCE, limits=httpx.Limits()) as client:
        address = f"http://localhost:{server.port}/dev/reload"
        with ExitStack() as streams:
            for _ in range(reload.MOST):
                answer = streams.enter_context(client.stream("GET", address))
                assert next(answer.iter_lines()) == "retry: 200"
            assert client.get(address).status_code == 503
        assert _opens_again(client, address)


def _opens_again(client: httpx.Client, address: str) -> bool:
    """Within the time that the server takes to see that the clients have left."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with client.stream("GET", address) as answer:
            if answer.status_code == 200:
                return True
    return False
