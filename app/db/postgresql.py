"""PostgreSQL and what stands before it: several hosts, a pooler, a balancer that leads to another server now and then.

Opens connections, says which of them are lent, and which are thrown away. A pooler such as PgBouncer is recognised by
itself: the server process that works is not the one that greeted us. Then nothing that belongs to a session is left on
a connection, for the next statement may run on another one: statements are prepared without a name, and bounds are set
for a transaction.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import sqlalchemy as sa

from app.database_urls import Address, tls

CONNECT_SECONDS = 5  # for all hosts together, unless the address says more
HOST_SECONDS = 2  # for each of several, at least
GREETINGS = 3  # tries at a host that closes a connection right after its greeting
READ_ONLY_SECONDS = 1.0  # how long a connection is kept whose server takes no writes
UNNAMED = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}  # the driver's, and SQLAlchemy's
READ_ONLY = "25006"  # SQLSTATE

BOUNDS = ("statement_timeout", "idle_in_transaction_session_timeout")
GREETED = (
    "SELECT pg_backend_pid() AS pid, false AS never, pg_is_in_recovery() AS follows, "
    "current_setting('transaction_read_only') = 'on' AS reads_only, "
    + " AND ".join(f"current_setting('{name}')::interval BETWEEN '1ms' AND $1::interval" for name in BOUNDS)
    + " AS bounded"
)
LOCALLY = "SELECT " + ", ".join(f"set_config('{name}', '{{0}}ms', true)" for name in BOUNDS)


class NoServerTakesWrites(ConnectionError):
    """Of the hosts that the address names, those that answer are replicas."""


class _PoolerMet(Exception):
    pass


class Connector:
    """Opens the connections of one engine. `bounded`: how long the server works on a statement, in ms; 0: no bound."""

    def __init__(self, address: Address, bounded: int = 0) -> None:
        self.address, self.is_pooled = address, address.is_pooled
        self._tls, self._bounded = tls(address), bounded
        self._hosts: list[Any] = list(address.hosts) or [(None, None)]  # the one that answered last comes first

    def watch(self, engine: sa.Engine) -> None:
        """Open, lend and throw away the connections of this engine from now on."""
        sa.event.listen(engine, "do_connect", self._connect)
        sa.event.listen(engine, "checkout", _lend)
        sa.event.listen(engine, "handle_error", _throw_away)

    def _connect(self, dialect: Any, record: Any, arguments: Any, options: Any) -> Any:
        if not self.is_pooled:
            try:
                return dialect.connect(*arguments, **options, async_creator_fn=partial(self._open, record.info, False))
            except _PoolerMet:
                self.is_pooled = True
        return dialect.connect(
            *arguments, **options, **UNNAMED, async_creator_fn=partial(self._open, record.info, True)
        )

    async def _open(self, info: Any, pooled: bool, **options: Any) -> Any:
        """The first host that answers, and takes writes if that matters. Errors: of the last one; _PoolerMet."""
        options |= {
            "user": self.address.user or None,
            "password": self.address.password or None,
            "database": self.address.database or None,
            "ssl": self._tls,
            "server_settings": dict(self._settings(pooled)),
        }
        seconds = int(self.address.options.get("connect_timeout", 0)) or self._seconds_for_each()
        failure: Exception | None = None
        for host in list(self._hosts):
            try:
                async with asyncio.timeout(seconds):  # a pooler greets at once; only a statement waits for the server
                    opened = await self._greet(options | {"host": host[0], "port": host[1]}, info, pooled)
            except asyncpg.ProtocolViolationError as error:  # PgBouncer: "unsupported startup parameter"
                if not pooled:
                    raise _PoolerMet from error
                failure = error
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                failure = error
            else:
                self._hosts.sort(key=lambda each: each != host)
                return opened
        raise failure or ConnectionError

    def _settings(self, pooled: bool) -> Iterator[tuple[str, str]]:
        for name in ("application_name", "options"):
            if value := self.address.options.get(name):
                yield name, value
        if self._bounded and not pooled:
            yield from ((name, str(self._bounded)) for name in BOUNDS)

    def _seconds_for_each(self) -> float:
        """A host that is gone for good must not use up the time of the next one."""
        count = len(self._hosts)
        return CONNECT_SECONDS if count == 1 else max(HOST_SECONDS, CONNECT_SECONDS / count)

    async def _greet(self, options: dict[str, Any], info: Any, pooled: bool) -> Any:
        """Open a connection and look at it; again if it is lost meanwhile.

        PgBouncer hands out server connections that have just been terminated, and closes the client ("invalid server
        parameter"): after a restart of the server the first statements would fail although it answers.
        """
        for attempt in range(1, GREETINGS + 1):
            opened = await asyncpg.connect(**options)
            try:
                await self._look_at(opened, info, pooled)
            except asyncpg.ConnectionDoesNotExistError:
                if attempt == GREETINGS:
                    raise
            else:
                break
        return opened

    async def _look_at(self, opened: Any, info: Any, pooled: bool) -> None:
        """Who is it that we speak with? In a transaction, which a pooler keeps on one server."""
        try:
            await opened.execute("BEGIN")
            question = await opened.prepare(GREETED, name="")
            row = await question.fetchrow(timedelta(milliseconds=self._bounded))
            await opened.execute("COMMIT")
            if row["pid"] != opened.get_server_pid() and not pooled:
                raise _PoolerMet
            if row[{"primary": "follows", "read-write": "reads_only"}.get(self.address.target, "never")]:
                raise NoServerTakesWrites
        except BaseException:
            opened.terminate()
            raise
        info["new"], info["opened"], info["reads_only"] = True, time.monotonic(), row["reads_only"]
        info["bounds"] = LOCALLY.format(self._bounded) if self._bounded and not row["bounded"] else ""


async def greet(address: Address, host: tuple[str, int]) -> None:
    """Whether that one of several hosts answers, replica or not. Errors: as while connecting."""
    alone = replace(address, hosts=(host,), options={**address.options, "target_session_attrs": "any"})
    (await Connector(alone)._open({}, True)).terminate()


def _lend(connection: Any, record: Any, _: Any) -> None:
    """For "checkout": SQLAlchemy opens another one instead. The driver knows, so nobody asks the server.

    Closed: the server ended it while nobody used it. Reading only: a balancer led to a replica for a moment, and a
    connection, once open, stays there.
    """
    driver, info = connection.driver_connection, record.info
    if info.pop("new", False):
        return  # whoever has just opened it is told by the first statement what became of it
    if driver.is_closed() or (info["reads_only"] and time.monotonic() - info["opened"] > READ_ONLY_SECONDS):
        driver.terminate()
        raise sa.exc.DisconnectionError


def _throw_away(context: sa.engine.ExceptionContext) -> None:
    """For "handle_error": a server that does not answer in time gets no goodbye, which would wait for it as well.

    One that takes no writes is no server for us; SQLAlchemy would keep the connection, and the others of the pool.
    """
    error: Any = context.original_exception
    if isinstance(error, TimeoutError) and context.connection:
        driver: Any = context.connection.connection.driver_connection
        driver.terminate()
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
    elif getattr(error, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
