"""Servers that something happens to: small bounds, a chosen place to fail at, a neighbour in the way, a full disk."""

import resource
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import session_rows
from app.auth.tokens import TokenPair
from tests.support import database as databases
from tests.support import forge
from tests.support.server import Server

HANGING_SECONDS = 30  # until a test no longer believes that an answer comes
ONCE = httpx.Limits(max_keepalive_connections=0)  # a connection for each request: who waits must not find it closed

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

PROGRAM = """\
import sys
sys.path.insert(0, "")
{changes}
if __name__ == "__main__":
    from app.__main__ import main
    sys.exit(main())
"""


# For `command`'s changes. The process that removes the file dies, each time that a test puts it into the folder.
KILLED_AT = """\
import os, signal
from pathlib import Path

def killed_at(place):
    try:
        Path({folder!r}, place).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
"""


def command(folder: Path, changes: str, workers: int = 1) -> list[str]:
    """For `running(command=...)`: the server after these lines of Python, in the supervisor and in each worker."""
    file = folder / "serve.py"  # a file, not `-c`: a worker is a new interpreter that reads it again
    file.write_text(PROGRAM.format(changes=changes))
    return [sys.executable, str(file), "serve", "--workers", str(workers)]


def workers(server: Server) -> set[int]:
    """The ids of the worker processes that are alive, when there are several."""
    return workers_of(server.process.pid)


def workers_of(pid: int) -> set[int]:
    """The same, of the process that started them."""
    found = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(FileNotFoundError):  # gone meanwhile
            if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes():  # of those started by uvicorn
                found.add(int(child))
    return found


def connections(server: Server) -> int:
    """How many clients the server's process holds a socket of, be it a dead one."""
    others = {line.split()[6] for line in _table("unix")}
    for line in _table("tcp"):
        _, local, remote, _, _, _, _, _, _, inode, *_ = line.split()
        if int(local.partition(":")[2], 16) != server.port or remote.endswith(":0000"):  # to the database; listening
            others.add(inode)
    held = set()
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            kind, _, inode = str(link.readlink()).partition(":")
            held |= {inode.strip("[]")} if kind == "socket" else set()
    return len(held - others)


async def session_row(server: Server, pair: TokenPair) -> Any:
    """The pair's session, read through a connection that the server has never seen."""
    async with server.database():
        sid = UUID(forge.claims(pair.refresh_token)["sid"])
        return await db.fetch_one(sa.select(session_rows).where(session_rows.c.id == sid))


@asynccontextmanager
async def neighbour(server: Server) -> AsyncIterator[None]:
    """Another program in a long transaction that locks `sessions`: writers wait for it."""
    if server.db_url.startswith("postgresql"):
        connection = await asyncpg.connect(server.db_url)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE sessions IN EXCLUSIVE MODE")
                yield
        finally:
            await connection.close()
    else:
        with closing(sqlite3.connect(server.db_url.partition("///")[2], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")


@asynccontextmanager
async def read_only(server: Server) -> AsyncIterator[None]:
    """No writing any more: PostgreSQL takes nothing but reading, as a replica does; SQLite's disk takes no byte."""
    if databases.POSTGRESQL:
        await _fail_over(server, "SET default_transaction_read_only = on")
        try:
            yield
        finally:
            await _fail_over(server, "RESET default_transaction_read_only")
    else:
        pid, before = server.process.pid, resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@asynccontextmanager
async def disk_full(server: Server) -> AsyncIterator[None]:
    """PostgreSQL says that there is no room for a row, whichever table it is meant for; no connection is cut."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    connection = await asyncpg.connect(server.db_url)
    try:
        await connection.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        for (table,) in await connection.fetch(tables):
            event = f"BEFORE INSERT OR UPDATE ON {table} FOR EACH STATEMENT"
            await connection.execute(f"CREATE TRIGGER no_room {event} EXECUTE FUNCTION no_room()")
        yield
    finally:
        await connection.execute("DROP FUNCTION no_room() CASCADE")
        await connection.close()


def _table(protocol: str) -> list[str]:
    return Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]


async def _fail_over(server: Server, change: str) -> None:
    """Change a setting of the database and cut every connection that began before."""
    connection = await asyncpg.connect(server.db_url, server_settings={"default_transaction_read_only": "off"})
    try:
        await connection.execute(f"ALTER DATABASE {server.db_url.rpartition('/')[2]} {change}")
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
