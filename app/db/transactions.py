"""A transaction: statements, savepoints, and the request's condition before the commit."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.conditions import Condition
from app.db.errors import Unavailable, available

Values = Mapping[str, Any] | None


class Transaction:
    """The same four calls inside one transaction. Only this object is inside: what `db` does meanwhile is not.

    After an error everything is refused but the way out, as PostgreSQL has it: what may fail stands in a `savepoint`.
    """

    def __init__(self, connection: AsyncConnection, condition: Condition | None) -> None:
        self._connection = connection
        self._condition = condition
        self.after_commit: list[Callable[[], None]] = []  # what this process must know the moment it is true
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
        """What fails inside is undone alone."""
        await self._run("SAVEPOINT attempt")  # one inside another may have the same name
        try:
            yield
            self.refuse_if_failed()
        except Exception:
            if self._connection.invalidated:
                raise  # nothing is left to go back to
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

    def ends(self, session_id: UUID) -> None:
        """The session has been ended in here. If it is the one that the request acts for, that is its own doing."""
        if self._condition and self._condition.of == session_id:
            self.after_commit.append(self._condition.settle)
            self._condition = None

    async def ask(self) -> None:
        """Does what the request stands on hold? See `conditions`."""
        if self._condition:
            await self._ask(self._condition.ask)

    async def keep(self) -> None:
        """As `ask`, up to the end of the transaction. Last, for whoever locks a session has its person's row before."""
        if self._condition and self._connection.dialect.name != "sqlite":  # which lets nobody else write since BEGIN
            await self._ask(self._condition.keep)

    async def _ask(self, question: Callable[[Connection], None]) -> None:
        with available():
            await self._connection.run_sync(question)

    async def _run(self, statement: Any, values: Values = None) -> Any:
        self.refuse_if_failed()
        try:
            return await run(self._connection, statement, values)
        except Exception:
            self.failed = True
            raise


async def run(connection: AsyncConnection, statement: Any, values: Values = None) -> Any:
    with available():
        if isinstance(statement, str):
            return await connection.exec_driver_sql(statement)
        return await connection.execute(statement, values)
