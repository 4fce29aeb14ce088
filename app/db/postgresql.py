"""PostgreSQL connections: several hosts, a connection pooler, or a load balancer that may switch servers.

Opens connections and decides which pooled ones are reused and which are closed. It detects a pooler such as PgBouncer
by the server's process id, which differs from the one of the handshake. Behind a pooler, the next statement may run on
another server connection, so no session state is used: prepared statements have no name, and time limits are set for
each transaction.
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

from app.database_tls import ssl_argument
from app.database_urls import Address

CONNECT_SECONDS = 5  # for all hosts together, unless the address says more
HOST_SECONDS = 2  # the minimum for each of several hosts
OPEN_ATTEMPTS = 3  # at a host that closes a connection right after the handshake
READ_ONLY_SECONDS = 1.0  # a connection to a server that refuses writes is reused for this long
UNNAMED = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}  # of the driver, and of SQLAlchemy
READ_ONLY = "25006"  # SQLSTATE

BOUNDS = ("statement_timeout", "idle_in_transaction_session_timeout")
INSPECTION = (
    "SELECT pg_backend_pid() AS pid, false AS never, pg_is_in_recovery() AS in_recovery, "
    "current_setting('transaction_read_only') = 'on' AS read_only, "
    + " AND ".join(f"current_setting('{name}')::interval BETWEEN '1ms' AND $1::interval" for name in BOUNDS)
    + " AS bounded"
)
LOCALLY = "SELECT " + ", ".join(f"set_config('{name}', '{{0}}ms', true)" for name in BOUNDS)


class NoServerTakesWrites(ConnectionError):
    """All hosts of the database URL that answer are replicas."""


class _PoolerFound(Exception):
    pass


class Connector:
    """Opens the connections of one engine. `bounded`: the server's time limit for a statement in ms; 0: none."""

    def __init__(self, address: Address, bounded: int = 0) -> None:
        self.address, self.is_pooled = address, address.is_pooled
        self._tls, self._bounded = ssl_argument(address), bounded
        self._hosts: list[Any] = list(address.hosts) or [(None, None)]  # the host that answered last comes first

    def watch(self, engine: sa.Engine) -> None:
        """Handle the engine's events: opening, checkout and errors of connections."""
        sa.event.listen(engine, "do_connect", self._connect)
        sa.event.listen(engine, "checkout", _on_checkout)
        sa.event.listen(engine, "handle_error", _on_error)

    def _connect(self, dialect: Any, record: Any, arguments: Any, options: Any) -> Any:
        if not self.is_pooled:
            try:
                return dialect.connect(*arguments, **options, async_creator_fn=partial(self._open, record.info, False))
            except _PoolerFound:
                self.is_pooled = True
        return dialect.connect(
            *arguments, **options, **UNNAMED, async_creator_fn=partial(self._open, record.info, True)
        )

    async def _open(self, info: Any, pooled: bool, **options: Any) -> Any:
        """Connect to the first host that answers, and that accepts writes if required.

        Errors: the error of the last host; _PoolerFound.
        """
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
                async with asyncio.timeout(
                    seconds
                ):  # covers a statement: a pooler accepts connections without a server
                    opened = await self._connect_to(options | {"host": host[0], "port": host[1]}, info, pooled)
            except asyncpg.ProtocolViolationError as error:  # PgBouncer: "unsupported startup parameter"
                if not pooled:
                    raise _PoolerFound from error
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
        """The time for one host: one that is gone must not use up the time of the next."""
        count = len(self._hosts)
        return CONNECT_SECONDS if count == 1 else max(HOST_SECONDS, CONNECT_SECONDS / count)

    async def _connect_to(self, options: dict[str, Any], info: Any, pooled: bool) -> Any:
        """Open a connection and inspect it; retry if the connection is lost meanwhile.

        PgBouncer hands out server connections that have just been terminated, and closes the client ("invalid server
        parameter"): after a restart of the server the first statements would fail although it answers.
        """
        for attempt in range(1, OPEN_ATTEMPTS + 1):
            opened = await asyncpg.connect(**options)
            try:
                await self._inspect(opened, info, pooled)
            except asyncpg.ConnectionDoesNotExistError:
                if attempt == OPEN_ATTEMPTS:
                    raise
            else:
                break
        return opened

    async def _inspect(self, opened: Any, info: Any, pooled: bool) -> None:
        """Find out whether this is a pooler or a replica. In a transaction, which a pooler runs on one server."""
        try:
            await opened.execute("BEGIN")
            statement = await opened.prepare(INSPECTION, name="")
            row = await statement.fetchrow(timedelta(milliseconds=self._bounded))
            await opened.execute("COMMIT")
            if row["pid"] != opened.get_server_pid() and not pooled:
                raise _PoolerFound
            if row[{"primary": "in_recovery", "read-write": "read_only"}.get(self.address.target, "never")]:
                raise NoServerTakesWrites
        except BaseException:
            opened.terminate()
            raise
        info["new"], info["opened"], info["read_only"] = True, time.monotonic(), row["read_only"]
        info["bounds"] = LOCALLY.format(self._bounded) if self._bounded and not row["bounded"] else ""


async def greet(address: Address, host: tuple[str, int]) -> None:
    """Connect to one of several hosts, whether it is a replica or not. Errors: those of connecting."""
    alone = replace(address, hosts=(host,), options={**address.options, "target_session_attrs": "any"})
    (await Connector(alone)._open({}, True)).terminate()


def _on_checkout(connection: Any, record: Any, _: Any) -> None:
    """Replace a pooled connection that the server has closed, or that leads to a read-only server. Sends no query.

    A load balancer may lead to a replica for a short time, and an open connection would stay there. SQLAlchemy opens
    another connection after DisconnectionError.
    """
    driver, info = connection.driver_connection, record.info
    if info.pop("new", False):
        return  # just opened: its first statement will report an error
    if driver.is_closed() or (info["read_only"] and time.monotonic() - info["opened"] > READ_ONLY_SECONDS):
        driver.terminate()
        raise sa.exc.DisconnectionError


def _on_error(context: sa.engine.ExceptionContext) -> None:
    """After a time-out, close the connection without the protocol's goodbye, which would wait for the server as well.

    After a write was refused as read-only, discard the pool's connections, which SQLAlchemy would keep.
    """
    error: Any = context.original_exception
    if isinstance(error, TimeoutError) and context.connection:
        driver: Any = context.connection.connection.driver_connection
        driver.terminate()
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
    elif getattr(error, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
