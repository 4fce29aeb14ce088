"""Edgy's database with its defects fixed. Each fix names the defect; tests/upstream shows it."""

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

POOL_SECONDS = 5  # how long a request waits for a connection before it is told to come back (503)
STATEMENT_SECONDS = 9  # how long the server works on a statement, or waits for a lock or for the rest of a transaction
ANSWER_SECONDS = 10  # how long a statement's answer is waited for; after that the server is taken for dead
TRANSACTION_SECONDS = 30  # as a whole: the change feed is read minutes back, so a change must be visible by then

# SQLite: a transaction that reads first and writes later would lose its write to another one, without an error.
BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN ISOLATION LEVEL READ COMMITTED"}


def undo(connection: sa.Connection) -> None:
    """Roll back what was said since BEGIN. If that fails the connection is gone, and the transaction with it."""
    if connection.invalidated:
        return
    try:
        if connection.dialect.name == "sqlite":
            connection.rollback()  # nothing if SQLite has undone it by itself, as it does when the disk is full
        else:
            connection.exec_driver_sql("ROLLBACK")
    except Exception:
        connection.invalidate()


def begin(connection: sa.Connection) -> None:
    """Say BEGIN, and behind a pooler that lets no bounds through, the bounds: for this transaction alone."""
    connection.exec_driver_sql(BEGIN[connection.dialect.name])
    if bounds := connection.info.get("bounds"):
        try:
            connection.exec_driver_sql(bounds)
        except Exception:
            undo(connection)
            raise


class _Transaction(SQLAlchemyTransaction):
    """Stock: none on SQLite before the first write, SERIALIZABLE on PostgreSQL, AUTOCOMMIT if READ COMMITTED is asked.

    Here the engine stays in autocommit, and the three words are said aloud.
    """

    async def start(self, is_root: bool, **options: Any) -> None:
        if options:
            raise TypeError(f"transactions take no options here: {', '.join(options)}")
        connection: Any = self.async_connection
        if not is_root:
            self.raw_transaction = await connection.begin_nested()
            return
        if connection.in_transaction():  # SQLAlchemy says so since the first SELECT; the database knows of none
            await connection.rollback()
        await connection.run_sync(begin)
        if condition := conditions.of_writes():
            try:
                await connection.run_sync(condition.ask)
            except BaseException:
                await connection.run_sync(undo)
                raise

    async def commit(self) -> None:
        if self.raw_transaction:
            await self.raw_transaction.commit()
            return
        connection: Any = self.async_connection
        try:
            if condition := conditions.of_writes():
                await connection.run_sync(condition.keep)
            await connection.exec_driver_sql("COMMIT")
        except BaseException as error:
            # Cancelled: nobody knows where it stands; closing it ends the transaction.
            await (connection.run_sync(undo) if isinstance(error, Exception) else connection.invalidate())
            raise

    async def rollback(self) -> None:
        if self.raw_transaction:
            await self.raw_transaction.rollback()
        else:
            connection: Any = self.async_connection
            await connection.run_sync(undo)


async def _enter(transaction: _StockTransaction) -> _StockTransaction:
    """Stock: `async with transaction()` keeps its connection for ever when BEGIN fails."""
    return await transaction.start(cleanup_on_error=True)


_StockTransaction.__aenter__ = _enter  # type: ignore[method-assign, assignment]


class Database(edgy.Database):
    """One engine in autocommit; transactions begin when they say so. Errors: ValueError about the address.

    `address`: for SQLAlchemy and Edgy, without server and user. `target`: what was written, read.
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
            from app.db.postgresql import Connector  # imported late: SQLite never needs the other driver

            self.address = sa.URL.create("postgresql+asyncpg", database=quote(self.target.database))
            self.connector = Connector(self.target, STATEMENT_SECONDS * 1000)
            bounds["command_timeout"] = ANSWER_SECONDS
        pool_size = get_settings().database_pool_size
        super().__init__(
            self.address.render_as_string(),
            # Stock: an attribute that was not loaded runs a query in another thread and blocks the loop meanwhile.
            poll_interval=-1,
            pool_size=pool_size,
            max_overflow=0,  # overflow connections are opened anew each time
            pool_timeout=POOL_SECONDS,
            hide_parameters=True,  # errors would print password hashes
            # Stock: UUIDs and datetimes in JSON are an error on PostgreSQL alone.
            json_serializer=lambda value: orjson.dumps(value, default=str).decode(),
            connect_args=self.connect_args | bounds,
        )
        self.backend.transaction_class = _Transaction

    async def execute(self, query: Any, values: Any = None, **options: Any) -> Any:
        """Stock: an update or delete of many stands alone, and a condition is asked in transactions."""
        if conditions.of_writes() is None:
            return await super().execute(query, values, **options)
        async with self.transaction():
            return await super().execute(query, values, **options)

    def watch(self, engine: sa.Engine, *, bounded: bool = True) -> None:
        """Look after what PostgreSQL needs to have looked after. Migrations take their time: they have no bounds."""
        if self.connector:
            connector = self.connector if bounded else type(self.connector)(self.target)
            connector.watch(engine)
