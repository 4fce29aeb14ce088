"""SQLite in threads: a single statement, or what is done `at_once`, in one hop to a thread and back.

A transaction that waits in between goes through aiosqlite with one hop for each statement, where the driver as it comes
takes four. A statement is run, read to its end and closed in one go: results here are small, and a cursor left open
would hold a read snapshot. Half of the CPU time of a statement was hopping.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import sqlalchemy as sa

# Below this level it logs every statement with its values, password hashes too.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

BUSY_SECONDS = 10  # how long a writer waits for another one
PRAGMAS = (
    f"busy_timeout={BUSY_SECONDS * 1000}",  # milliseconds; first, for the others may have to wait already
    "journal_mode=WAL",
    "synchronous=FULL",  # a revocation that was committed survives a power cut
    "foreign_keys=ON",
)


def connect(path: str, **options: Any) -> "Connection":
    """For SQLAlchemy's `async_creator_fn`."""
    made = Connection(partial(_opened, path, **options), iter_chunk_size=0)
    made._thread.daemon = True  # SQLAlchemy does the same
    return made


def engine(address: sa.URL, size: int) -> sa.Engine:
    """Without async, for threads of our own: two thirds of the CPU time that a statement takes through aiosqlite."""
    address = address.set(drivername="sqlite+pysqlite")
    dialect: Any = address.get_dialect()()
    paths, options = dialect.create_connect_args(address)
    return sa.create_engine(
        address,
        creator=partial(_opened, *paths, **{**options, "check_same_thread": False}),
        poolclass=sa.QueuePool,
        pool_size=size,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
    )


def _opened(path: str, **options: Any) -> sqlite3.Connection:
    with suppress(OSError):  # SQLite says what is wrong; those made beside it are as private (v5.0.0-13.3.2)
        Path(path).touch(0o600, exist_ok=False)
    connection = sqlite3.connect(path, isolation_level=None, **options)
    try:
        for pragma in PRAGMAS:
            _say(connection, pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _say(connection: sqlite3.Connection, pragma: str) -> None:
    """Where another process writes to a file that is no WAL yet, SQLite is "locked" at once, despite busy_timeout."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


class Connection(aiosqlite.Connection):
    """Stock: stopping a second time waits for ever, and a file that cannot be opened leaves its thread talking."""

    _stopped: asyncio.Future[Any] | None = None

    def stop(self) -> asyncio.Future[Any] | None:
        if self._stopped is None:
            self._stopped = super().stop()
        return self._stopped

    async def _connect(self) -> aiosqlite.Connection:
        try:
            return await super()._connect()
        except BaseException:
            if self._stopped:
                await self._stopped
            raise

    async def cursor(self) -> "Cursor":  # type: ignore[override]
        return Cursor(self)

    async def commit(self) -> None:
        if self.in_transaction:
            await super().commit()

    async def rollback(self) -> None:
        if self.in_transaction:
            await super().rollback()


class Cursor:
    """What SQLAlchemy asks of a cursor; all rows are there once `execute` is over."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.lastrowid: int | None = None
        self.rowcount = -1

    async def execute(self, statement: str, parameters: Any = ()) -> None:
        await self._connection._execute(self._run, "execute", statement, parameters)

    async def executemany(self, statement: str, parameters: Any) -> None:
        await self._connection._execute(self._run, "executemany", statement, parameters)

    async def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    async def fetchmany(self, size: int = 1) -> Sequence[Any]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    async def fetchall(self) -> Sequence[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []

    def _run(self, method: str, statement: str, parameters: Any) -> None:
        cursor = getattr(self._connection._conn, method)(statement, parameters)
        self.description, self.lastrowid = cursor.description, cursor.lastrowid
        self._rows = cursor.fetchall()
        self.rowcount = cursor.rowcount
        cursor.close()
