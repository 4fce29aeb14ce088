import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import db
from tests.support import database as databases


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Callable[[Callable[[], Awaitable[Any]]], Any]]:
    """A database that the commands use; `here(work)` does `await work()` on it."""
    before = db.url()
    db.point_at(databases.of_this_test(tmp_path))

    def run(work: Callable[[], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            await db.connect()
            try:
                return await work()
            finally:
                await db.disconnect()

        return asyncio.run(connected())

    yield run
    db.point_at(before)
