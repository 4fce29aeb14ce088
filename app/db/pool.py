"""Connections, lent first come, first served; whatever happens to the borrower, they come back or are thrown away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util import greenlet_spawn

from app.db.database import POOL_SECONDS
from app.db.errors import available

T = TypeVar("T")


class Pool:
    """In front of the engine's own pool, because waiting there is unfair. `size`: as many as that one has."""

    def __init__(self, engine: Any, size: int) -> None:
        self._engine = engine
        self._size = size
        self._slots = asyncio.Semaphore(size)
        self._asides: set[asyncio.Task[Any]] = set()  # what goes on without its caller

    def use(self) -> tuple[int, int]:
        """How many are lent, and how many callers wait for one."""
        return self._size - self._slots._value, len(self._slots._waiters or ())

    async def run(self, work: Callable[[Connection], T]) -> T:
        """One statement in autocommit, at a stroke: `connection()` takes twice the time. Errors: Unavailable.

        Who is cancelled does not wait for it any more; it is finished all the same, and its connection stays good.
        """
        await self._take_slot()
        return await asyncio.shield(self._aside(self._at_a_stroke(work)))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """One in autocommit, for several statements. Errors: Unavailable."""
        await self._take_slot()
        # Tasks of their own, opening as well as throwing away: a cancellation half-way would lose the connection, or
        # keep one that is not set up. Always, because what the pool has in stock may have to be opened anew.
        connection, opening = None, self._aside(self._open())
        try:
            connection = await asyncio.shield(opening)
            yield connection
        except BaseException as error:
            if not isinstance(error, Exception):
                self._aside(self._throw_away(opening))
            elif connection:
                await self._give_back(connection)
            raise
        await self._give_back(connection)

    async def settled(self) -> None:
        """Wait until nothing goes on behind our back any more."""
        while self._asides:
            await asyncio.wait(self._asides)

    async def _take_slot(self) -> None:
        with available():
            async with asyncio.timeout(POOL_SECONDS if self._slots.locked() else None):
                await self._slots.acquire()

    async def _at_a_stroke(self, work: Callable[[Connection], T]) -> T:
        def lend() -> T:
            with self._engine.sync_engine.connect() as connection:
                return work(connection)

        try:
            with available():
                return cast(T, await greenlet_spawn(lend))
        finally:
            self._slots.release()

    async def _open(self) -> AsyncConnection:
        try:
            with available():
                connection: AsyncConnection = await self._engine.connect()
                return connection
        except BaseException:
            self._slots.release()
            raise

    async def _give_back(self, connection: AsyncConnection) -> None:
        await connection.close()  # waits for nothing: it is in no transaction any more
        self._slots.release()

    async def _throw_away(self, opening: asyncio.Task[AsyncConnection]) -> None:
        """Nobody knows what this connection is doing, or whether it is in a transaction: closing it ends both."""
        try:
            connection = await opening
        except Exception:
            return  # it could not be opened, and its slot is free already
        try:
            await connection.invalidate()
        finally:
            await self._give_back(connection)

    def _aside(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do it whatever happens to the caller."""
        task = asyncio.create_task(work)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)
        return task
