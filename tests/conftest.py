"""What all tests share. People and sessions: `tests.support.people`; a real server process: `tests.support.server`."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from app import db
from app.main import create_app  # registers the features
from app.observability import logs
from tests.support import database as databases
from tests.support.clock import Clock
from tests.support.visitor import Visitor

# How long an example takes is the machine's business.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(tmp_path: Path, anyio_backend: str) -> AsyncIterator[str]:
    """An empty, migrated database of this test alone; `app.db` points at it and is connected. Yields its URL."""
    url = databases.of_this_test(tmp_path)
    db.point_at(url)
    await db.connect()
    yield url
    await db.disconnect()


@pytest.fixture(scope="session")
def app() -> Any:
    return create_app()


@pytest.fixture
async def client(make_client: Callable[..., Visitor]) -> Visitor:
    """One browser, signed in as nobody: `await sign_in(client, await make_user())`."""
    return make_client()


@pytest.fixture
async def make_client(app: Any, database: str) -> AsyncIterator[Callable[..., Visitor]]:
    """More browsers: `other = make_client()`."""
    made: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        made.append(Visitor(app, **options))
        return made[-1]

    yield make
    for visitor in made:
        await visitor.aclose()


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What the application logs from here on: dicts with `event`, `log_level`, `source` and the event's own fields."""
    with structlog.testing.capture_logs(processors=[logs.of_request]) as logged:
        yield logged


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Stands still until moved: `clock.forward(minutes=16)`."""
    clock = Clock(monkeypatch)
    with clock.over_the_database():
        yield clock
