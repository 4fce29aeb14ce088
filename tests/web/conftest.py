"""The assembled application of the web tests, in this process (`site`) and on the wire (`wire`)."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.web import templates
from tests.support import server
from tests.support.visitor import Visitor
from tests.web import assembled

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def own_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "TEMPLATES", HERE / "templates")


@pytest.fixture(scope="session")
def web_app() -> Any:
    return assembled.create_app()


@pytest.fixture
async def site(web_app: Any) -> AsyncIterator[Visitor]:
    """A program in front of the assembled application. An exception that gets out of it fails the test."""
    async with Visitor(web_app, headers={"Accept": "application/json"}) as visitor:
        yield visitor


@pytest.fixture(scope="session")
def wire() -> Iterator[server.Server]:
    """The assembled application behind a real uvicorn."""
    command = ["sh", "-c", 'exec "$0" -m tests.web.assembled "$PORT"', sys.executable]
    with server.running(command=command, DATABASE_URL="sqlite+aiosqlite:///:memory:") as running:
        yield running
