"""The database: one engine, two ways to it, and the two clocks.

State changes, lists and counts are SQLAlchemy Core through `fetch_one`, `fetch_all`, `execute` and `transaction`: one
statement that wins or does not, on a connection that nobody else holds. Edgy's ORM (`User.query...`) stands on the same
engine through the mended `Database`, for single rows and simple creates.
Callers write `db.utcnow()`, never `from app.db import utcnow`: tests replace the clocks here.
Chapter: "The desk's ledger".
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import edgy
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.columns import folded, moment, now, uuid7
from app.db.database import BEGIN, Database, roll_back
from app.db.errors import Unavailable, available
from app.db.pool import Pool
from app.db.schema import downgrade, pending, upgrade
from app.settings import get_settings

__all__ = [
    "Database",
    "Transaction",
    "Unavailable",
    "available",
    "connect",
    "database",
    "disconnect",
    "downgrade",
    "execute",
    "fetch_all",
    "fetch_one",
    "fetch_value",
    "folded",
    "moment",
    "now",
    "pending",
    "point_at",
    "prune",
    "registry",
    "transaction",
    "upgrade",
    "url",
    "utcnow",
    "uuid7",
]

PRUNED = 1000  # rows that are deleted at a time

try:
    database = Database(get_settings().database_url)
except ValueError as error:
    print(f"lanyard: DATABASE_URL {error}", file=sys.stderr)
    raise SystemExit(2) from None
registry = edgy.Registry(database=database)

_pool: Pool | None = None


def utcnow() -> datetime:
    """This worker's clock, aware UTC. What several workers must agree on asks the database: `now()`."""
    return datetime.now(UTC)


def url() -> str:
    """Where the database is. Holds the password: not for the log."""
    return database.address.render_as_string(hide_password=False)


async def connect() -> None:
    """Open the pool. For the lifespan of a process, or of a test."""
    global _pool
    await database.connect()
    _pool = Pool(database.engine, get_settings().database_pool_size)


async def disconnect() -> None:
    global _pool
    if _pool:
        pool, _pool = _pool, None
        await pool.settled()
    await database.disconnect()


def point_at(url: str) -> None:
    """Use another database from the next `connect` on: for tests and commands."""
    global database
    database = Database(url)
    registry.database = database
    for model in registry.models.values():
        model.database = database
    registry.metadata_by_url.process()


async def fetch_one(statement: Any) -> Any:
    """The first row, or None. Errors: Unavailable; IntegrityError of SQLAlchemy."""
    return await _opened().run(lambda connection: connection.execute(statement).first())


async def fetch_value(statement: Any) -> Any:
    """The first column of the first row, or None."""
    row = await fetch_one(statement)
    return None if row is None else row[0]


async def fetch_all(statement: Any) -> list[Any]:
    return await _opened().run(lambda connection: list(connection.execute(statement).all()))


async def execute(statement: Any) -> int:
    """How many rows the statement touched."""
    return await _opened().run(lambda connection: int(connection.execute(statement).rowcount))


async def prune(table: Any, over: Any) -> int:
    """Delete the rows for which the condition holds; how many. What somebody else is busy with waits for the next time.

    Some at a time, so that nobody waits long for a row, or for SQLite's one writer.
    """
    (key,) = table.primary_key
    some = sa.select(key).where(over).limit(PRUNED).with_for_update(skip_locked=True)
    total = 0
    while deleted := await execute(sa.delete(table).where(over, key.in_(some))):
        total += deleted
    return total


class Transaction:
    """The same four calls inside one transaction. Only this object is inside: what `db` does meanwhile is not.

    After an error everything is refused but the way out, as PostgreSQL has it: what may fail stands in a `savepoint`.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.after_commit: list[Callable[[], None]] = []  # what this process must know the moment it is true
        self.failed = False

    async def fetch_one(self, statement: Any) -> Any:
        return (await self._run(statement)).first()

    async def fetch_value(self, statement: Any) -> Any:
        row = await self.fetch_one(statement)
        return None if row is None else row[0]

    async def fetch_all(self, statement: Any) -> list[Any]:
        return list((await self._run(statement)).all())

    async def execute(self, statement: Any) -> int:
        return int((await self._run(statement)).rowcount)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What fails inside is undone alone."""
        await self._run("SAVEPOINT attempt")  # one inside another may have the same name
        try:
            yield
            self.refuse_if_failed()
        except Exception:
            self.failed = False
            await self._run("ROLLBACK TO SAVEPOINT attempt")
            await self._run("RELEASE SAVEPOINT attempt")
            raise
        await self._run("RELEASE SAVEPOINT attempt")

    def refuse_if_failed(self) -> None:
        if self.failed:
            raise RuntimeError("a statement of this transaction has failed: what may fail belongs in a savepoint()")

    async def _run(self, statement: Any) -> Any:
        self.refuse_if_failed()
        try:
            return await _run(self._connection, statement)
        except Exception:
            self.failed = True
            raise


@asynccontextmanager
async def transaction() -> AsyncIterator[Transaction]:
    """All or nothing: commits at the end, rolls back on any exception, cancellation included.

    READ COMMITTED on PostgreSQL; on SQLite one writer at a time from the first line on. Errors as `fetch_one`.
    """
    async with _opened().connection() as connection:
        await _run(connection, BEGIN[connection.dialect.name])
        try:
            inside = Transaction(connection)
            yield inside
            inside.refuse_if_failed()
            try:
                await _run(connection, "COMMIT")
            finally:  # also when nobody knows whether it arrived
                for tell in inside.after_commit:
                    tell()
        except Exception:
            await roll_back(connection)
            raise


async def _run(connection: AsyncConnection, statement: Any) -> Any:
    with available():
        if isinstance(statement, str):
            return await connection.exec_driver_sql(statement)
        return await connection.execute(statement)


def _opened() -> Pool:
    if _pool is None:
        raise RuntimeError("db.connect() comes first")
    return _pool
