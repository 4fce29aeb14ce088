""" "Not now" is one exception; "not so" stays what it is."""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from app import db
from app.db import sqlite
from tests.support.server import free_port

pytestmark = [pytest.mark.database, pytest.mark.anyio]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An SQLite file with an empty table t (x)."""
    made = tmp_path / "own.db"
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
    return made


@pytest.fixture
async def connected(file: Path, anyio_backend: str) -> AsyncIterator[Path]:
    db.point_at(f"sqlite:///{file}")
    await db.connect()
    yield file
    await db.disconnect()


async def ask(url: str, statement: Any) -> Any:
    db.point_at(url)
    await db.connect()
    try:
        return await db.fetch_all(statement)
    finally:
        await db.disconnect()


@pytest.mark.parametrize("server", ["127.0.0.1", "no-such-host.invalid"])
async def test_no_server_is_unavailable_and_the_password_stays_secret(server: str) -> None:
    with pytest.raises(db.Unavailable) as caught:
        await ask(f"postgresql://ann:hunter2@{server}:{free_port()}/lanyard", sa.select(1))

    assert "hunter2" not in str(caught.value)


async def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(db.Unavailable):
        await ask(f"sqlite:///{tmp_path}/gone/own.db", sa.select(1))


async def test_a_file_that_is_no_database_is_not_mistaken_for_one_that_is_busy() -> None:
    with pytest.raises(sa.exc.DatabaseError):
        await ask(f"sqlite:///{__file__}", sa.select(1))


async def test_locked_database_is_unavailable_to_writers_alone(connected: Path) -> None:
    write = sa.text("INSERT INTO t VALUES (1)")
    await db.fetch_one(sa.text("PRAGMA busy_timeout=0"))  # of the pool's only connection so far

    with closing(sqlite3.connect(connected, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(db.Unavailable):
            await db.execute(write)
        with pytest.raises(db.Unavailable):
            await db.transaction().__aenter__()
        assert await db.fetch_all(sa.text("SELECT x FROM t")) == []
        other.execute("COMMIT")

    assert await db.execute(write) == 1, "everybody goes on afterwards"


async def test_a_new_file_that_another_process_is_filling_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several processes that start at once: SQLite itself waits for nobody when a file shall become WAL."""
    new = tmp_path / "new.db"
    with closing(sqlite3.connect(new, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE t (x)")
        waited: list[float] = []

        def commit(seconds: float) -> None:
            waited.append(seconds)
            if other.in_transaction:
                other.execute("COMMIT")

        monkeypatch.setattr(sqlite.time, "sleep", commit)

        assert await ask(f"sqlite:///{new}", sa.text("SELECT x FROM t")) == []

    assert waited


async def test_a_database_that_is_read_only_is_unavailable_to_writers_alone(connected: Path) -> None:
    await db.fetch_all(sa.text("SELECT x FROM t"))
    await db.execute(sa.text("PRAGMA query_only=ON"))

    with pytest.raises(db.Unavailable):
        await db.execute(sa.text("INSERT INTO t VALUES (1)"))
    assert await db.fetch_all(sa.text("SELECT x FROM t")) == []


async def in_steps(*statements: Any) -> Any:
    async with db.transaction() as tx:
        return [await tx.fetch_all(each) for each in statements][-1]


async def at_once(*statements: Any) -> Any:
    return await db.run_in_transaction(lambda connection: [list(connection.execute(each)) for each in statements][-1])


@pytest.mark.parametrize("write", [in_steps, at_once])
async def test_a_full_disk_is_unavailable_and_changes_nothing(connected: Path, write: Any) -> None:
    ((few,),) = await write(sa.text("PRAGMA max_page_count=1"))  # SQLite takes as many as are used already
    small, large = (sa.text("INSERT INTO t VALUES (:x) RETURNING 1").bindparams(x="x" * size) for size in (1, 100_000))

    with pytest.raises(db.Unavailable):
        await write(small, large)

    assert await db.fetch_all(sa.text("SELECT x FROM t")) == []
    # The connection was kept: on a disk that is really full another one could not be opened, not even for reading.
    assert await write(sa.text("PRAGMA max_page_count")) == [(few,)]


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InvalidCatalogNameError("no such database"),
        asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
        ConnectionRefusedError("connection refused"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_comes_while_connecting_to_postgresql_is_unavailable(error: Exception) -> None:
    """SQLAlchemy lets the driver's own errors pass there."""
    with pytest.raises(db.Unavailable) as caught, db.translate_errors():
        raise error

    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError(), asyncpg.UndefinedTableError("x"), asyncpg.UniqueViolationError("x")])
def test_any_other_error_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, db.translate_errors():
        raise error

    assert caught.value is error


async def test_invalid_statement_is_no_unavailable(account: Any) -> None:
    for statement in ("SELECT FROM WHERE", "SELECT * FROM nowhere"):
        with pytest.raises(sa.exc.DBAPIError):
            await db.fetch_all(sa.text(statement))


# v5.0.0-16.2.5
async def test_a_faulty_statement_does_not_show_its_values(account: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(sa.exc.DBAPIError) as caught:
        await db.execute(sa.text("INSERT INTO nowhere VALUES (:hash)").bindparams(hash="$argon2id$secret"))

    assert "argon2id" not in str(caught.value)
    assert "argon2id" not in caplog.text
