"""The database: one engine, queries and transactions, and the two clocks.

State changes, lists and counts are SQLAlchemy Core through `fetch_one`, `fetch_all`, `execute` and `transaction`: one
statement that wins or does not, on a connection that nobody else holds. Edgy's ORM (`User.query...`) stands on the same
engine through the mended `Database`, for single rows and simple creates. Whatever a request writes on either way, the
session it acts for is asked for in the same transaction (`conditions`).
Callers write `db.utcnow()`, never `from app.db import utcnow`: tests replace the clocks here.
Chapter: "The audit log".
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import edgy
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as _insert_on_postgresql
from sqlalchemy.dialects.sqlite import insert as _insert_on_sqlite
from sqlalchemy.engine import Connection

from app.db import conditions
from app.db.columns import aside, case_folded, now, plain_text, timestamp, uuid7
from app.db.database import TRANSACTION_SECONDS, Database, begin, undo
from app.db.errors import Stopped, Unavailable, available
from app.db.pool import Pool
from app.db.schema import downgrade, known, pending, upgrade
from app.db.transactions import Transaction, Values, run
from app.settings import get_settings

__all__ = [
    "Database",
    "Stopped",
    "Transaction",
    "Unavailable",
    "aside",
    "at_once",
    "available",
    "behind",
    "case_folded",
    "conditions",
    "connect",
    "database",
    "disconnect",
    "downgrade",
    "execute",
    "fetch_all",
    "fetch_one",
    "fetch_value",
    "insert",
    "now",
    "pending",
    "plain_text",
    "point_at",
    "pool_use",
    "prune",
    "registry",
    "takes_writes",
    "timestamp",
    "transaction",
    "upgrade",
    "url",
    "utcnow",
    "uuid7",
]

PRUNED = 1000  # rows that are deleted at a time
_INSERT: dict[str, Any] = {"sqlite": _insert_on_sqlite, "postgresql": _insert_on_postgresql}

database = Database(get_settings().database_url)
registry = edgy.Registry(database=database)

T = TypeVar("T")
_pool: Pool | None = None


def utcnow() -> datetime:
    """This worker's clock, aware UTC. What several workers must agree on asks the database: `now()`."""
    return datetime.now(UTC)


def url() -> str:
    """Where the database is, as it was written. Holds the password: not for the log."""
    return database.written


async def connect() -> None:
    """Open the pool. For the lifespan of a process, or of a test."""
    global _pool
    await database.connect()
    database.watch(database.engine.sync_engine)  # type: ignore[union-attr]
    _pool = Pool(database.engine, get_settings().database_pool_size)


async def disconnect() -> None:
    global _pool
    if _pool:
        pool, _pool = _pool, None
        await pool.close()
    await database.disconnect()


def pool_use() -> tuple[int, int]:
    """Connections lent out, and callers that wait for one."""
    return _pool.use() if _pool else (0, 0)


async def behind() -> bool:
    """Whether a migration that this code needs has not run. A database ahead of the code, in an upgrade, is fine."""
    current = await fetch_value(sa.select(sa.column("version_num")).select_from(sa.table("alembic_version")))
    history = await asyncio.to_thread(known)
    return current is None or (current in history and current != history[0])


async def takes_writes() -> bool:
    """Whether it is a primary that we are led to. A file of SQLite says so when it is written to."""
    if database.target.kind == "sqlite":
        return True
    return bool(await fetch_value(sa.text("SELECT current_setting('transaction_read_only') = 'off'")))


def point_at(url: str) -> None:
    """Use another database from the next `connect` on: for tests and commands."""
    global database
    database = Database(url)
    registry.database = database
    for model in registry.models.values():
        model.database = database
    registry.metadata_by_url.process()


def insert(table: Any) -> Any:
    """An INSERT that may say ON CONFLICT: both databases write it alike, SQLAlchemy has it twice."""
    return _INSERT[database.address.get_backend_name()](table)


async def fetch_one(statement: Any, values: Values = None) -> Any:
    """The first row, or None. Errors: Unavailable; IntegrityError of SQLAlchemy.

    `values`: of the statement's `sa.bindparam`s, and the columns that an INSERT or UPDATE without `.values()` sets. A
    statement that is asked for often is a constant of its module: building one costs as much as running it.
    """
    return await _run_alone(statement, lambda connection: connection.execute(statement, values).first())


async def fetch_value(statement: Any, values: Values = None) -> Any:
    """The first column of the first row, or None."""
    row = await fetch_one(statement, values)
    return None if row is None else row[0]


async def fetch_all(statement: Any, values: Values = None) -> list[Any]:
    return await _run_alone(statement, lambda connection: list(connection.execute(statement, values).all()))


async def execute(statement: Any, values: Values = None) -> int:
    """How many rows the statement touched."""
    return await _run_alone(statement, lambda connection: int(connection.execute(statement, values).rowcount))


async def at_once(work: Callable[[Connection], T]) -> T:
    """A transaction with nothing to wait for between its statements, for half the CPU time of `transaction()`.

    `work` speaks with SQLAlchemy's own connection. Who is cancelled does not wait for it; it is finished all the same.
    """
    condition = conditions.of_writes()

    def whole(connection: Connection) -> T:
        begin(connection)
        try:
            if condition:
                condition.keep(connection)
            result = work(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            undo(connection)
            raise
        return result

    return await _opened().run(whole)


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


@asynccontextmanager
async def transaction() -> AsyncIterator[Transaction]:
    """All or nothing: commits at the end, rolls back on any exception, cancellation included.

    READ COMMITTED on PostgreSQL; on SQLite one writer at a time from the first line on. Errors as `fetch_one`;
    Unavailable also for what takes longer than TRANSACTION_SECONDS; what the request's condition raises.
    """
    limit = asyncio.timeout(TRANSACTION_SECONDS)
    try:
        async with limit, _opened().connection() as connection:
            with available():
                await connection.run_sync(begin)
            try:
                inside = Transaction(connection, conditions.of_writes())
                await inside.ask()
                yield inside
                inside.refuse_if_failed()
                await inside.keep()
                try:
                    await run(connection, "COMMIT")
                finally:  # also when nobody knows whether it arrived
                    for tell in inside.after_commit:
                        tell()
            except Exception:
                await connection.run_sync(undo)
                raise
    except TimeoutError as error:
        if limit.expired():
            raise Unavailable("the transaction took too long") from error
        raise


async def _run_alone(statement: Any, work: Callable[[Connection], T]) -> T:
    """One statement. A request that acts for somebody writes in a transaction, and asks after it has read on."""
    if not statement.is_select:
        return await (at_once(work) if conditions.of_writes() else _opened().run(work))
    found = await _opened().run(work)
    if condition := conditions.of_reads():
        await _opened().run(condition.ask)  # after it: what was read was read while it held
    return found


def _opened() -> Pool:
    if _pool is None:
        raise RuntimeError("db.connect() comes first")
    return _pool
