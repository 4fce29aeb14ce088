"""The connection pool: first come, first served; a connection always comes back or is closed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, TypeVar, cast

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util import greenlet_spawn

from app.db import sqlite
from app.db.database import POOL_SECONDS
from app.db.errors import available, is_stale

T = TypeVar("T")


class Pool:
    """In front of the engine's own pool, because waiting there is unfair. `size`: as many as that one has.

    What is done at a stroke is done, on SQLite, in a thread and on connections of its own (see `sqlite.engine`).
    """

    def __init__(self, engine: Any, size: int) -> None:
        self._engine = engine
        self._size = size
        self._threads: ThreadPoolExecutor | None = None
        self._lender = engine.sync_engine
        if engine.dialect.name == "sqlite":
            self._lender, self._threads = sqlite.engine(engine.url, size), ThreadPoolExecutor(size, "sqlite")
        self._slots = asyncio.Semaphore(size)
        self._asides: set[asyncio.Future[Any]] = set()  # what goes on without its caller

    def use(self) -> tuple[int, int]:
        """How many are lent, and how many callers wait for one."""
        return self._size - self._slots._value, len(self._slots._waiters or ())

    async def run(self, work: Callable[[Connection], T]) -> T:
        """One statement in autocommit, at a stroke: `connection()` takes twice the time. Errors: Unavailable.

        Who is cancelled does not wait for it any more; it is finished all the same, and its connection stays good.
        """
        await self._take_slot()
        begun = self._begin(work)
        begun.add_done_callback(lambda _: self._slots.release())
        return cast(T, await asyncio.shield(begun))

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

    async def close(self) -> None:
        await self.settled()
        if self._threads:
            self._threads.shutdown()
            self._lender.dispose()

    async def _take_slot(self) -> None:
        with available():
            async with asyncio.timeout(POOL_SECONDS if self._slots.locked() else None):
                await self._slots.acquire()

    def _begin(self, work: Callable[[Connection], T]) -> asyncio.Future[Any]:
        def lend() -> T:
            with available(), self._lender.connect() as connection:
                try:
                    return work(connection)
                except DBAPIError as error:
                    if not is_stale(error):
                        raise
                return work(connection)  # what was prepared before a column changed is prepared anew

        if self._threads is None:
            return self._aside(greenlet_spawn(lend))
        begun = asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, lend)
        self._remember(begun)
        return begun

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
        self._remember(task)
        return task

    def _remember(self, begun: asyncio.Future[Any]) -> None:
        self._asides.add(begun)
        begun.add_done_callback(self._asides.discard)
