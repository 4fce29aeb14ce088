"""The connection pool: first come, first served. Every connection is returned or closed, also on cancellation."""

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
from app.db.errors import is_stale, translate_errors

T = TypeVar("T")


class Pool:
    """A queue in front of SQLAlchemy's pool, which does not serve waiting callers in order. `size`: as in that pool.

    On SQLite, `run` uses threads with their own connections (see `sqlite.engine`).
    """

    def __init__(self, engine: Any, size: int) -> None:
        self._engine = engine
        self._size = size
        self._threads: ThreadPoolExecutor | None = None
        self._connections = engine.sync_engine
        if engine.dialect.name == "sqlite":
            self._connections, self._threads = sqlite.engine(engine.url, size), ThreadPoolExecutor(size, "sqlite")
        self._slots = asyncio.Semaphore(size)
        self._background: set[asyncio.Future[Any]] = set()  # work that continues if its caller is cancelled

    def use(self) -> tuple[int, int]:
        """The number of connections in use, and of callers that wait for one."""
        return self._size - self._slots._value, len(self._slots._waiters or ())

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work(connection)` in autocommit, in half the time of `connection()`. Errors: Unavailable.

        If the caller is cancelled, the work is completed in the background and its connection stays usable.
        """
        await self._take_slot()
        begun = self._begin(work)
        begun.add_done_callback(lambda _: self._slots.release())
        return cast(T, await asyncio.shield(begun))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection in autocommit, for several statements. Errors: Unavailable."""
        await self._take_slot()
        # Open and discard in separate tasks: a cancellation half-way would leak the connection, or return one that is
        # not set up. Even a pooled connection may have to be reopened.
        connection, opening = None, self._in_background(self._open())
        try:
            connection = await asyncio.shield(opening)
            yield connection
        except BaseException as error:
            if not isinstance(error, Exception):
                self._in_background(self._discard(opening))
            elif connection:
                await self._release(connection)
            raise
        await self._release(connection)

    async def wait_for_background(self) -> None:
        """Wait until all background work is done."""
        while self._background:
            await asyncio.wait(self._background)

    async def close(self) -> None:
        await self.wait_for_background()
        if self._threads:
            self._threads.shutdown()
            self._connections.dispose()

    async def _take_slot(self) -> None:
        with translate_errors():
            async with asyncio.timeout(POOL_SECONDS if self._slots.locked() else None):
                await self._slots.acquire()

    def _begin(self, work: Callable[[Connection], T]) -> asyncio.Future[Any]:
        def checkout() -> T:
            with translate_errors(), self._connections.connect() as connection:
                try:
                    return work(connection)
                except DBAPIError as error:
                    if not is_stale(error):
                        raise
                return work(connection)  # again: the statement had been prepared before a column changed

        if self._threads is None:
            return self._in_background(greenlet_spawn(checkout))
        begun = asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, checkout)
        self._track(begun)
        return begun

    async def _open(self) -> AsyncConnection:
        try:
            with translate_errors():
                connection: AsyncConnection = await self._engine.connect()
                return connection
        except BaseException:
            self._slots.release()
            raise

    async def _release(self, connection: AsyncConnection) -> None:
        await connection.close()  # returns at once: the connection is in no transaction any more
        self._slots.release()

    async def _discard(self, opening: asyncio.Task[AsyncConnection]) -> None:
        """Close a connection in an unknown state, which ends its statement and its transaction."""
        try:
            connection = await opening
        except Exception:
            return  # it could not be opened, and its slot is already released
        try:
            await connection.invalidate()
        finally:
            await self._release(connection)

    def _in_background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run the work in a task that a cancellation of the caller does not stop."""
        task = asyncio.create_task(work)
        self._track(task)
        return task

    def _track(self, begun: asyncio.Future[Any]) -> None:
        self._background.add(begun)
        begun.add_done_callback(self._background.discard)
