"""SQLite in threads: a single statement, or `db.run_in_transaction`, takes one switch to a thread and back.

A transaction that awaits in between uses aiosqlite, with one switch per statement instead of the driver's four: thread
switches took half of a statement's CPU time. Each statement is run, fetched completely and closed in one step: results
are small, and an open cursor would hold a read snapshot.
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

# At a lower level, aiosqlite logs every statement with its values, including password hashes.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

BUSY_SECONDS = 10  # a writer waits this long for another one
PRAGMAS = (
    f"busy_timeout={BUSY_SECONDS * 1000}",  # milliseconds; first, because the others may have to wait
    "journal_mode=WAL",
    "synchronous=FULL",  # a committed revocation survives a power cut
    "foreign_keys=ON",
)


def connect(path: str, **options: Any) -> "Connection":
    """A connection for SQLAlchemy's `async_creator_fn`."""
    made = Connection(partial(_open, path, **options), iter_chunk_size=0)
    made._thread.daemon = True  # SQLAlchemy does the same
    return made


def engine(address: sa.URL, size: int) -> sa.Engine:
    """A synchronous engine for our own threads: a statement takes two thirds of its CPU time with aiosqlite."""
    address = address.set(drivername="sqlite+pysqlite")
    dialect: Any = address.get_dialect()()
    paths, options = dialect.create_connect_args(address)
    return sa.create_engine(
        address,
        creator=partial(_open, *paths, **{**options, "check_same_thread": False}),
        poolclass=sa.QueuePool,
        pool_size=size,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
    )


def _open(path: str, **options: Any) -> sqlite3.Connection:
    with suppress(OSError):  # SQLite reports errors itself; its -wal and -shm get the same mode (v5.0.0-13.3.2)
        Path(path).touch(0o600, exist_ok=False)
    connection = sqlite3.connect(path, isolation_level=None, **options)
    try:
        for pragma in PRAGMAS:
            _set_pragma(connection, pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_pragma(connection: sqlite3.Connection, pragma: str) -> None:
    """Retry for BUSY_SECONDS: while another process writes to a file that is not in WAL mode yet, SQLite ignores
    busy_timeout.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


class Connection(aiosqlite.Connection):
    """Stock: a second `stop` never returns, and a file that cannot be opened leaves its thread running."""

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
    """The cursor interface that SQLAlchemy needs; `execute` fetches all rows."""

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
