import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import db
from tests.support import database as databases
from tests.support.ports import free_port

STRONG = "k3J9x!aB7qLmZ2wR8tYvE4uI6oP0sDfGh1jKcNbV5"


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


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return as_they_should_be(tmp_path)


def as_they_should_be(folder: Path) -> dict[str, str]:
    """Settings of a site in production on this machine: SQLite in that folder, and no server running."""
    port = str(free_port())
    (folder / "env").touch(mode=0o600)
    address = databases.copy_to(folder / "lanyard.db")
    (folder / "lanyard.db").chmod(0o600)
    return {
        "PATH": os.environ["PATH"],
        "APP_ENV_FILE": str(folder / "env"),
        "APP_ENV": "production",
        "APP_SECRET_KEY": STRONG,
        "APP_ARGON2_MEMORY_KIB": "19456",
        "APP_ISSUER": "",
        "APP_AUDIENCE": "",
        "PUBLIC_ORIGIN": f"http://localhost:{port}",
        "PORT": port,
        "DATABASE_URL": address,
    }
