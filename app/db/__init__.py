"""The database: one engine, queries and transactions, the worker's clock and the database's clock.

State changes, lists and counts use SQLAlchemy Core through `fetch_one`, `fetch_all`, `execute` and `transaction`.
Edgy's ORM (`User.query...`) uses the same engine through the fixed `Database`, for single rows and simple creates.
Both check the request's session again in the transaction that writes (`conditions`).
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
from app.db.columns import case_folded, now, plain_text, timestamp, unindexed, uuid7
from app.db.database import TRANSACTION_SECONDS, Database, begin, planned_for, rollback
from app.db.errors import Stopped, Unavailable, translate_errors
from app.db.pool import Pool
from app.db.schema import downgrade, known, pending, upgrade
from app.db.transactions import Transaction, Values, run
from app.settings import get_settings

__all__ = [
    "Database",
    "Stopped",
    "Transaction",
    "Unavailable",
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
    "is_writable",
    "needs_migration",
    "now",
    "pending",
    "plain_text",
    "point_at",
    "pool_use",
    "prune",
    "registry",
    "run_in_transaction",
    "run_statement",
    "timestamp",
    "transaction",
    "translate_errors",
    "unindexed",
    "upgrade",
    "url",
    "utcnow",
    "uuid7",
]

PRUNED = 1000  # rows that `prune` deletes per statement
_INSERT: dict[str, Any] = {"sqlite": _insert_on_sqlite, "postgresql": _insert_on_postgresql}

database = Database(get_settings().database_url)
registry = edgy.Registry(database=database)

T = TypeVar("T")
_pool: Pool | None = None


def utcnow() -> datetime:
    """This worker's clock, aware UTC. Use the database's clock, `now()`, where several workers must agree."""
    return datetime.now(UTC)


def url() -> str:
    """The database URL as configured. Contains the password: never log it."""
    return database.written


async def connect() -> None:
    """Open the pool. Called once in the lifespan of a process or a test."""
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
    """The number of connections in use, and of callers that wait for one."""
    return _pool.use() if _pool else (0, 0)


async def needs_migration() -> bool:
    """Whether a migration that this code needs has not run. A newer database is fine: it occurs during upgrades."""
    current = await fetch_value(sa.select(sa.column("version_num")).select_from(sa.table("alembic_version")))
    history = await asyncio.to_thread(known)
    return current is None or (current in history and current != history[0])


async def is_writable() -> bool:
    """Whether the server accepts writes, so is no replica. Always True for SQLite, whose writes may still fail."""
    if database.target.kind == "sqlite":
        return True
    return bool(await fetch_value(sa.text("SELECT current_setting('transaction_read_only') = 'off'")))


def point_at(url: str) -> None:
    """Use another database from the next `connect` on. For tests and commands."""
    global database
    database = Database(url)
    registry.database = database
    for model in registry.models.values():
        model.database = database
    registry.metadata_by_url.process()


def insert(table: Any) -> Any:
    """An INSERT that supports ON CONFLICT: SQLAlchemy has one class per database, with the same methods."""
    return _INSERT[database.address.get_backend_name()](table)


async def fetch_one(statement: Any, values: Values = None) -> Any:
    """The first row, or None. Errors: Unavailable; IntegrityError of SQLAlchemy.

    `values`: for the statement's `sa.bindparam`s, and for the columns of an INSERT or UPDATE without `.values()`. A
    frequent statement is a constant of its module: building one takes as long as running it.
    """
    return await _run_alone(statement, lambda connection: connection.execute(statement, values).first())


async def fetch_value(statement: Any, values: Values = None) -> Any:
    """The first column of the first row, or None."""
    row = await fetch_one(statement, values)
    return None if row is None else row[0]


async def fetch_all(statement: Any, values: Values = None, *, plan_again: bool = False) -> list[Any]:
    """All rows. `plan_again`: the best way to find them depends on the values.

    PostgreSQL would keep one plan for any values from the sixth run of a statement on.
    """
    if plan_again and database.target.kind == "postgresql":
        return await _run_alone(statement, lambda connection: planned_for(connection, statement, values))
    return await _run_alone(statement, lambda connection: list(connection.execute(statement, values).all()))


async def execute(statement: Any, values: Values = None) -> int:
    """Run the statement. Returns how many rows it affected."""
    return await _run_alone(statement, lambda connection: int(connection.execute(statement, values).rowcount))


async def run_in_transaction(work: Callable[[Connection], T]) -> T:
    """Run `work(connection)` in a transaction, without awaiting between its statements.

    Takes half the CPU time of `transaction()`. `connection` is SQLAlchemy's synchronous one. If the caller is
    cancelled, the transaction is still completed in the background.
    """
    condition = conditions.for_writes()

    def whole(connection: Connection) -> T:
        begin(connection)
        try:
            if condition:
                condition.check_and_lock(connection)
            result = work(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            rollback(connection)
            raise
        return result

    return await _current_pool().run(whole)


async def run_statement(work: Callable[[Connection], T]) -> T:
    """As `run_in_transaction`, for `work` that runs one statement, which is a transaction of its own."""
    return await (run_in_transaction(work) if conditions.for_writes() else _current_pool().run(work))


async def prune(table: Any, over: Any) -> int:
    """Delete the rows that match the condition, PRUNED at a time. Returns how many. Skips rows that are locked.

    Small batches keep other requests from waiting long for a row, or for SQLite's only writer.
    """
    (key,) = table.primary_key
    some = sa.select(key).where(over).limit(PRUNED).with_for_update(skip_locked=True)
    total = 0
    while deleted := await execute(sa.delete(table).where(over, key.in_(some))):
        total += deleted
    return total


@asynccontextmanager
async def transaction() -> AsyncIterator[Transaction]:
    """A transaction: commits at the end, rolls back on any exception, including cancellation.

    READ COMMITTED on PostgreSQL; on SQLite one writer at a time, from BEGIN on. Errors: as `fetch_one`; Unavailable
    also after TRANSACTION_SECONDS; errors of the request's condition.
    """
    limit = asyncio.timeout(TRANSACTION_SECONDS)
    try:
        async with limit, _current_pool().connection() as connection:
            with translate_errors():
                await connection.run_sync(begin)
            try:
                tx = Transaction(connection, conditions.for_writes())
                await tx.check_condition()
                yield tx
                tx.refuse_if_failed()
                await tx.check_condition_and_lock()
                try:
                    await run(connection, "COMMIT")
                finally:  # also if the connection is lost and the outcome unknown
                    for callback in tx.after_commit:
                        callback()
            except Exception:
                await connection.run_sync(rollback)
                raise
    except TimeoutError as error:
        if limit.expired():
            raise Unavailable("the transaction took too long") from error
        raise


async def _run_alone(statement: Any, work: Callable[[Connection], T]) -> T:
    """Run one statement. For a request with a condition, a write runs in a transaction, and a read checks after it."""
    if not statement.is_select:
        return await run_statement(work)
    found = await _current_pool().run(work)
    if condition := conditions.for_reads():
        await _current_pool().run(condition.check)  # afterwards: so the condition still held during the read
    return found


def _current_pool() -> Pool:
    if _pool is None:
        raise RuntimeError("db.connect() comes first")
    return _pool
