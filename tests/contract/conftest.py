from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.auth.sessions import session_cache
from tests.contract.places import Place


@pytest.fixture
async def at(app: Any, database: Any) -> AsyncIterator[Callable[[str], Place]]:
    """`at("203.0.113.7")`: somebody at that address."""
    made: list[Place] = []

    def place(ip: str) -> Place:
        made.append(Place(app, ip))
        return made[-1]

    yield place
    for each in made:
        await each.aclose()


@pytest.fixture
async def deaf_worker(database: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """This worker trusts what it remembers, for it has just read the feed, and hears nothing of what happens then."""
    session_cache.clear()
    await session_cache.read_invalidations()
    monkeypatch.setattr(session_cache, "evict", lambda _: None)
    yield
    session_cache.clear()
