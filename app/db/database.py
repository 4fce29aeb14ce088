"""Edgy's database with its defects mended. Each mending names the defect; tests/upstream shows it on the stock one."""

from typing import Any

import edgy
import orjson
import sqlalchemy as sa
from databasez.core.transaction import Transaction as _StockTransaction
from databasez.sqlalchemy import SQLAlchemyTransaction

from app.db import conditions, sqlite
from app.db.urls import normalised
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


def hang_up(context: sa.engine.ExceptionContext) -> None:
    """For "handle_error": a server that does not answer in time gets no goodbye, which would wait for it as well."""
    if isinstance(context.original_exception, TimeoutError) and context.connection:
        driver: Any = context.connection.connection.driver_connection
        driver.terminate()
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


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
        await connection.exec_driver_sql(BEGIN[connection.dialect.name])
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
    """One engine in autocommit; transactions begin when they say so."""

    def __init__(self, url: str) -> None:
        self.address, self.connect_args = normalised(url)
        if self.address.get_backend_name() == "sqlite":
            self.connect_args["async_creator_fn"] = sqlite.connect
        else:
            self.connect_args["timeout"] = POOL_SECONDS  # asyncpg would try for a minute
        pool_size = get_settings().database_pool_size
        super().__init__(
            self.address.render_as_string(hide_password=False),
            # Stock: an attribute that was not loaded runs a query in another thread and blocks the loop meanwhile.
            poll_interval=-1,
            pool_size=pool_size,
            max_overflow=0,  # overflow connections are opened anew each time
            pool_timeout=POOL_SECONDS,
            hide_parameters=True,  # errors would print password hashes
            # Stock: UUIDs and datetimes in JSON are an error on PostgreSQL alone.
            json_serializer=lambda value: orjson.dumps(value, default=str).decode(),
            connect_args=self.connect_args | self._bounds(),
        )
        self.backend.transaction_class = _Transaction

    async def execute(self, query: Any, values: Any = None, **options: Any) -> Any:
        """Stock: an update or delete of many stands alone, and a condition is asked in transactions."""
        if conditions.of_writes() is None:
            return await super().execute(query, values, **options)
        async with self.transaction():
            return await super().execute(query, values, **options)

    def _bounds(self) -> dict[str, Any]:
        """Not for migrations, which take their time. SQLite waits for locks alone, and is bounded there."""
        if self.address.get_backend_name() == "sqlite":
            return {}
        milliseconds = str(STATEMENT_SECONDS * 1000)
        server = {"statement_timeout": milliseconds, "idle_in_transaction_session_timeout": milliseconds}
        return {"command_timeout": ANSWER_SECONDS, "server_settings": server}
