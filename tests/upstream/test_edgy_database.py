"""Edgy's database (databasez), SQLAlchemy's pool and aiosqlite as they come: the reasons for app/db.

Run as a program, this file tries them without our mendings and prints which defects it saw; the tests read that. A test
that fails says that a release has mended one: then the part of app/db that it names goes, and the test with it.
"""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiosqlite
import edgy
import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.upstream

f: Any = edgy.fields

FOLDER = Path(sys.argv[1]) if __name__ == "__main__" else Path()
defects: dict[str, Callable[[], Awaitable[bool]]] = {}


def defect(function: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    defects[function.__name__] = function
    return function


def stock(**options: Any) -> edgy.Database:
    return edgy.Database(f"sqlite+aiosqlite:///{FOLDER / uuid4().hex}.db", **options)


@defect
async def transaction_that_reads_first_loses_writes() -> bool:
    """database.BEGIN"""

    async def increment() -> None:
        async with database.transaction():
            number = await database.fetch_val("SELECT n FROM counter")
            await asyncio.sleep(0)
            await database.execute("UPDATE counter SET n = :n", {"n": number + 1})

    async with stock() as database:
        await database.execute("CREATE TABLE counter (n INT)")
        await database.execute("INSERT INTO counter VALUES (0)")
        await asyncio.gather(*[increment() for _ in range(10)], return_exceptions=True)
        return bool(await database.fetch_val("SELECT n FROM counter") < 10)


@defect
async def statement_after_a_committed_transaction_is_lost() -> bool:
    """database._Transaction"""
    async with stock() as database:
        await database.execute("CREATE TABLE t (n INT)")
        async with database.connection() as connection:
            async with connection.transaction():
                await connection.execute("INSERT INTO t VALUES (1)")
            await connection.execute("INSERT INTO t VALUES (2)")
        return [row[0] for row in await database.fetch_all("SELECT n FROM t")] == [1]


@defect
async def failing_begin_keeps_its_connection() -> bool:
    """database._enter"""
    async with stock(pool_size=1, max_overflow=0) as database:
        try:
            async with database.transaction(isolation_level="NONSENSE"):
                return False
        except sa.exc.ArgumentError:
            kept = bool(database.engine.pool.checkedout())  # type: ignore[union-attr]
        await database.connection().__aexit__()  # what the library forgot
        return kept


@defect
async def errors_show_the_values() -> bool:
    """hide_parameters"""
    async with stock() as database:
        try:
            await database.execute("INSERT INTO nowhere VALUES (:hash)", {"hash": "$argon2id$secret"})
        except sa.exc.OperationalError as error:
            return "$argon2id$secret" in str(error)
    return False


@defect
async def foreign_keys_are_off() -> bool:
    """sqlite.PRAGMAS"""
    async with stock() as database:
        return bool(await database.fetch_val("PRAGMA foreign_keys") == 0)


@defect
async def json_of_uuids_is_left_to_the_standard_library_on_postgresql_alone() -> bool:
    """json_serializer"""
    both = stock(), edgy.Database("postgresql+asyncpg://nobody@localhost/nothing")
    return ["json_serializer" in database.options for database in both] == [True, False]


@defect
async def addresses_as_providers_hand_them_out_do_not_load() -> bool:
    """urls.normalised"""
    return [await refusal(f"{start}://nobody@127.0.0.1:1/nothing{end}") for start, end in ADDRESSES] == REFUSALS


ADDRESSES = [("postgres", ""), ("postgresql", ""), ("postgresql+asyncpg", "?sslmode=require")]
REFUSALS: list[type[BaseException]] = [sa.exc.NoSuchModuleError, ModuleNotFoundError, TypeError]


async def refusal(url: str) -> type[BaseException] | None:
    try:
        async with edgy.Database(url) as database:
            await database.fetch_all("SELECT 1")
    except Exception as error:
        return type(error)
    return None


@defect
async def core_rows_hold_naive_times() -> bool:
    """columns.AwareUTC"""
    async with await models() as registry:
        await Thing.query.create(name="lamp")
        table: Any = Thing.table
        row: Any = await registry.database.fetch_one(sa.select(table))
        return row.at.tzinfo is None


@defect
async def attribute_that_was_not_loaded_runs_a_query_in_another_thread() -> bool:
    """poll_interval=-1"""
    async with await models():
        thing = await Thing.query.create(name="lamp")
        lazy = await Thing.query.only("id").get(id=thing.id)
        threads = set(threading.enumerate())
        name = lazy.name  # no await, and yet
        return name == "lamp" and bool(set(threading.enumerate()) - threads)


class Thing(edgy.StrictModel):
    name = f.CharField(max_length=20)
    at = f.DateTimeField(default=partial(datetime.now, UTC), default_timezone=UTC, force_timezone=UTC)

    class Meta:
        registry = edgy.Registry(database=stock())


async def models() -> edgy.Registry:
    registry: Any = Thing.meta.registry
    async with registry:
        await registry.create_all()
    return registry


@defect
async def pool_serves_who_comes_last_first() -> bool:
    """The slots in front of it."""
    served = []

    async def use(name: str) -> None:
        async with engine.connect():
            served.append(name)

    async with stock(pool_size=1, max_overflow=0) as database:
        engine: Any = database.engine
        lent = await engine.connect()
        first = asyncio.create_task(use("first"))
        await asyncio.sleep(0)
        await lent.close()
        await use("last")
        await first
    return served == ["last", "first"]


@defect
async def statement_takes_four_hops_to_the_thread() -> bool:
    """sqlite.Cursor"""
    hops = 0

    class Counting(aiosqlite.Connection):
        async def _execute(self, *arguments: Any, **options: Any) -> Any:
            nonlocal hops
            hops += 1
            return await super()._execute(*arguments, **options)

    aiosqlite.core.Connection = Counting  # type: ignore[misc]
    async with stock() as database, database.connection() as connection:
        await connection.fetch_all("SELECT 1")
        before, hops = hops, 0
        await connection.fetch_all("SELECT 1")
    return before > 0 and hops >= 4


@defect
async def stopping_a_connection_twice_waits_for_ever() -> bool:
    """sqlite.Connection"""
    connection = await aiosqlite.connect(":memory:")
    first, second = connection.stop(), connection.stop()
    assert first
    assert second
    await first
    _, pending = await asyncio.wait([second], timeout=0.1)
    return bool(pending)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    command = [sys.executable, __file__, str(tmp_path_factory.mktemp("stock"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", defects)
def test_defect_is_still_there(seen: dict[str, bool], name: str) -> None:
    assert seen[name], f"mended upstream: what {defects[name].__doc__} works around"


if __name__ == "__main__":
    print(json.dumps({name: asyncio.run(asyncio.wait_for(show(), 20)) for name, show in defects.items()}))
