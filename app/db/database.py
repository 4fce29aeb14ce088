"""Edgy's database class with its defects fixed. "Stock:" describes the defect; tests/upstream reproduces it."""

from typing import Any
from urllib.parse import quote

import edgy
import orjson
import sqlalchemy as sa
from databasez.core.transaction import Transaction as _StockTransaction
from databasez.sqlalchemy import SQLAlchemyTransaction

from app.database_urls import parsed
from app.db import conditions, sqlite
from app.settings import get_settings

POOL_SECONDS = 5  # a request waits this long for a connection, then gets 503
STATEMENT_SECONDS = 9  # the server's limit for a statement, for waiting for a lock, and for an idle transaction
ANSWER_SECONDS = 10  # the client's limit for a response; after that, the server counts as dead
TRANSACTION_SECONDS = 30  # a whole transaction: shorter than `session_cache.WINDOW`, which covers late commits

# IMMEDIATE on SQLite: otherwise a transaction that reads first and writes later loses its write to a concurrent one.
BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN ISOLATION LEVEL READ COMMITTED"}


def rollback(connection: sa.Connection) -> None:
    """Roll back since BEGIN. If that fails, the connection is closed, which ends the transaction too."""
    if connection.invalidated:
        return
    try:
        if connection.dialect.name == "sqlite":
            connection.rollback()  # has no effect if SQLite has rolled back by itself, as it does on a full disk
        else:
            connection.exec_driver_sql("ROLLBACK")
    except Exception:
        connection.invalidate()


def begin(connection: sa.Connection) -> None:
    """Execute BEGIN. Behind a pooler, also set the time limits, for this transaction alone."""
    connection.exec_driver_sql(BEGIN[connection.dialect.name])
    if bounds := connection.info.get("bounds"):
        try:
            connection.exec_driver_sql(bounds)
        except Exception:
            rollback(connection)
            raise


def planned_for(connection: sa.Connection, statement: Any, values: Any) -> list[Any]:
    """All rows, by a plan for these values. The setting needs a transaction, and ends with it: behind a pooler too."""
    begin(connection)
    try:
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")
        rows = list(connection.execute(statement, values).all())
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        rollback(connection)
        raise
    return rows


class _Transaction(SQLAlchemyTransaction):
    """Stock: on SQLite, no transaction before the first write; on PostgreSQL SERIALIZABLE, or AUTOCOMMIT if READ
    COMMITTED is requested.

    Here the engine stays in autocommit and executes BEGIN, COMMIT and ROLLBACK as statements.
    """

    async def start(self, is_root: bool, **options: Any) -> None:
        if options:
            raise TypeError(f"transactions take no options here: {', '.join(options)}")
        connection: Any = self.async_connection
        if not is_root:
            self.raw_transaction = await connection.begin_nested()
            return
        if connection.in_transaction():  # only SQLAlchemy's own state, since the first SELECT: the database has none
            await connection.rollback()
        await connection.run_sync(begin)
        if condition := conditions.for_writes():
            try:
                await connection.run_sync(condition.check)
            except BaseException:
                await connection.run_sync(rollback)
                raise

    async def commit(self) -> None:
        if self.raw_transaction:
            await self.raw_transaction.commit()
            return
        connection: Any = self.async_connection
        try:
            if condition := conditions.for_writes():
                await connection.run_sync(condition.check_and_lock)
            await connection.exec_driver_sql("COMMIT")
        except BaseException as error:
            # After a cancellation the state is unknown: closing the connection ends the transaction.
            await (connection.run_sync(rollback) if isinstance(error, Exception) else connection.invalidate())
            raise

    async def rollback(self) -> None:
        if self.raw_transaction:
            await self.raw_transaction.rollback()
        else:
            connection: Any = self.async_connection
            await connection.run_sync(rollback)


async def _enter(transaction: _StockTransaction) -> _StockTransaction:
    """Stock: `async with transaction()` never releases its connection if BEGIN fails."""
    return await transaction.start(cleanup_on_error=True)


_StockTransaction.__aenter__ = _enter  # type: ignore[method-assign, assignment]


class Database(edgy.Database):
    """One engine in autocommit; transactions execute BEGIN explicitly. Errors: ValueError about the URL.

    `written`: the configured URL. `target`: the parsed URL. `address`: the URL for SQLAlchemy and Edgy, without server
    and user.
    """

    def __init__(self, written: str) -> None:
        self.written, self.target = written, parsed(written)
        self.connect_args: dict[str, Any] = {}
        self.connector: Any = None
        bounds: dict[str, Any] = {}
        if self.target.kind == "sqlite":
            self.address = sa.URL.create("sqlite+aiosqlite", database=self.target.database)
            self.connect_args["async_creator_fn"] = sqlite.connect
        else:
            from app.db.postgresql import Connector  # imported late: SQLite does not need the driver of PostgreSQL

            self.address = sa.URL.create("postgresql+asyncpg", database=quote(self.target.database))
            self.connector = Connector(self.target, STATEMENT_SECONDS * 1000)
            bounds["command_timeout"] = ANSWER_SECONDS
        pool_size = get_settings().database_pool_size
        super().__init__(
            self.address.render_as_string(),
            # Stock: reading an attribute that is not loaded queries in another thread and blocks the event loop.
            poll_interval=-1,
            pool_size=pool_size,
            max_overflow=0,  # an overflow connection would be opened and closed each time
            pool_timeout=POOL_SECONDS,
            hide_parameters=True,  # otherwise errors print password hashes
            # Stock: UUIDs and datetimes in JSON columns raise an error on PostgreSQL, but not on SQLite.
            json_serializer=lambda value: orjson.dumps(value, default=str).decode(),
            connect_args=self.connect_args | bounds,
        )
        self.backend.transaction_class = _Transaction

    async def execute(self, query: Any, values: Any = None, **options: Any) -> Any:
        """Stock: an update or delete of many rows runs without a transaction. Conditions need one."""
        if conditions.for_writes() is None:
            return await super().execute(query, values, **options)
        async with self.transaction():
            return await super().execute(query, values, **options)

    def watch(self, engine: sa.Engine, *, bounded: bool = True) -> None:
        """Attach the PostgreSQL connector to an engine. `bounded=False`: no time limits, for migrations."""
        if self.connector:
            connector = self.connector if bounded else type(self.connector)(self.target)
            connector.watch(engine)
