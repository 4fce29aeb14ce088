"""A transaction: statements, savepoints, and the request's condition before the commit."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.conditions import Condition
from app.db.errors import Unavailable, translate_errors

Values = Mapping[str, Any] | None


class Transaction:
    """`fetch_one`, `fetch_value`, `fetch_all` and `execute` inside one transaction. Calls on `db` are outside of it.

    After an error, all further statements are refused, on SQLite as on PostgreSQL: run a statement that may fail in a
    `savepoint`.
    """

    def __init__(self, connection: AsyncConnection, condition: Condition | None) -> None:
        self._connection = connection
        self._condition = condition
        self.after_commit: list[Callable[[], None]] = []  # called right after the commit
        self.failed = False

    async def fetch_one(self, statement: Any, values: Values = None) -> Any:
        return (await self._run(statement, values)).first()

    async def fetch_value(self, statement: Any, values: Values = None) -> Any:
        row = await self.fetch_one(statement, values)
        return None if row is None else row[0]

    async def fetch_all(self, statement: Any, values: Values = None) -> list[Any]:
        return list((await self._run(statement, values)).all())

    async def execute(self, statement: Any, values: Values = None) -> int:
        return int((await self._run(statement, values)).rowcount)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint: an error inside rolls back only the statements inside."""
        await self._run("SAVEPOINT attempt")  # nested savepoints may have the same name
        try:
            yield
            self.refuse_if_failed()
        except Exception:
            if self._connection.invalidated:
                raise  # the connection is lost, and the savepoint with it
            self.failed = False
            await self._run("ROLLBACK TO SAVEPOINT attempt")
            await self._run("RELEASE SAVEPOINT attempt")
            raise
        await self._run("RELEASE SAVEPOINT attempt")

    def refuse_if_failed(self) -> None:
        if self._connection.invalidated:
            raise Unavailable("connection lost")
        if self.failed:
            raise RuntimeError("a statement of this transaction has failed: what may fail belongs in a savepoint()")

    def session_ended(self, session_id: UUID) -> None:
        """This transaction ended the session. If it is the request's own session, the condition no longer applies."""
        if self._condition and self._condition.of == session_id:
            self.after_commit.append(self._condition.stop_checking)
            self._condition = None

    async def check_condition(self) -> None:
        """Check the request's condition (see `conditions`). Raises what the condition raises."""
        if self._condition:
            await self._check(self._condition.check)

    async def check_condition_and_lock(self) -> None:
        """As `check_condition`, and lock the rows until the end of the transaction.

        Called last, because the user's row has to be locked before the session's.
        """
        if self._condition and self._connection.dialect.name != "sqlite":  # SQLite has one writer since BEGIN
            await self._check(self._condition.check_and_lock)

    async def _check(self, check: Callable[[Connection], None]) -> None:
        with translate_errors():
            await self._connection.run_sync(check)

    async def _run(self, statement: Any, values: Values = None) -> Any:
        self.refuse_if_failed()
        try:
            return await run(self._connection, statement, values)
        except Exception:
            self.failed = True
            raise


async def run(connection: AsyncConnection, statement: Any, values: Values = None) -> Any:
    with translate_errors():
        if isinstance(statement, str):
            return await connection.exec_driver_sql(statement)
        return await connection.execute(statement, values)
