"""Connections to a server that is not the right one any more are thrown away; who does not use one notices nothing."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from tests.support import database as databases
from tests.support import postgres

pytestmark = [
    pytest.mark.database,
    pytest.mark.anyio,
    pytest.mark.skipif(not databases.POSTGRESQL, reason="of PostgreSQL"),
]

CUT = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname LIKE 'lanyard%'"
READS_ONLY = sa.text("SELECT current_setting('transaction_read_only') = 'on'")
PID = sa.text("SELECT pg_backend_pid()")


def add(table: Any) -> Any:
    return sa.update(table).where(table.c.id == 1).values(amount=table.c.amount + 1).returning(table.c.amount)


async def by_itself(statement: Any) -> Any:
    return await db.fetch_one(statement)


async def at_once(statement: Any) -> Any:
    return await db.run_in_transaction(lambda connection: connection.execute(statement).first())


async def in_a_transaction(statement: Any) -> Any:
    async with db.transaction() as tx:
        return await tx.fetch_one(statement)


WAYS: Any = pytest.mark.parametrize("run", [by_itself, at_once, in_a_transaction])
Run = Callable[[Any], Awaitable[Any]]


async def test_silent_host_leaves_time_for_the_next_and_is_tried_last_from_then_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is gone for good answers nothing, not even a refusal."""
    monkeypatch.setattr("app.db.postgresql.HOST_SECONDS", 0.2)
    monkeypatch.setattr("app.db.postgresql.CONNECT_SECONDS", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        db.point_at(url.replace("@127.0.0.1:", f"@127.0.0.1:{port},127.0.0.1:"))
        await db.connect()
        try:
            assert await db.fetch_value(sa.select(1)) == 1
            assert db.database.connector._hosts[-1] == ("127.0.0.1", port)
        finally:
            await db.disconnect()


@pytest.mark.parametrize(("cuts", "opens"), [(2, True), (3, False)])
async def test_connection_that_is_lost_right_after_its_greeting_is_opened_again(
    url: str, cuts: int, opens: bool
) -> None:
    """PgBouncer does so with a server connection that was terminated a moment ago. A host that always does is down."""
    async with cutting(cuts) as port:
        db.point_at(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", url))
        await db.connect()
        try:
            if opens:
                assert await db.fetch_value(sa.select(1)) == 1
            with pytest.raises(db.Unavailable, match="08003") if not opens else contextlib.nullcontext():
                await db.fetch_value(sa.select(1))
        finally:
            await db.disconnect()


@WAYS
async def test_connection_that_takes_no_writes_is_not_kept(account: Any, run: Run) -> None:
    """Behind a balancer that led to a replica for a moment: the connection stays there, if nobody throws it away."""
    await db.execute(sa.text("SET default_transaction_read_only = on"))  # of the pool's only connection so far

    with pytest.raises(db.Unavailable, match="25006"):
        await run(add(account))

    assert (await run(add(account))).amount == 1


async def test_connection_to_a_server_that_only_reads_is_lent_for_a_second(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody writes on it, so nobody would find out; and what a replica has may be old."""
    name = await db.fetch_value(sa.text("SELECT current_database()"))
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await cut()
    assert await db.fetch_value(READS_ONLY) is True
    pid = await db.fetch_value(PID)
    postgres.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    assert await db.fetch_value(PID) == pid, "as long as the second lasts"
    monkeypatch.setattr("app.db.postgresql.READ_ONLY_SECONDS", -1)

    assert await db.fetch_value(READS_ONLY) is False


@WAYS
async def test_connection_that_the_server_closed_meanwhile_is_not_lent(account: Any, run: Run) -> None:
    back, taken = asyncio.Event(), asyncio.Semaphore(0)

    async def lend() -> None:
        async with db._current_pool().connection() as connection:
            await connection.execute(sa.select(1))
            taken.release()
            await back.wait()

    lent = [asyncio.create_task(lend()) for _ in range(5)]
    async with asyncio.timeout(10):
        for _ in lent:
            await taken.acquire()
    back.set()
    await asyncio.gather(*lent)
    pool: Any = db.database.engine.pool  # type: ignore[union-attr]
    assert pool.checkedin() >= 5

    await cut()

    assert [(await run(add(account))).amount for _ in range(6)] == [1, 2, 3, 4, 5, 6]


async def lose_it_in_a_savepoint(tx: Any, table: Any) -> None:
    async with tx.savepoint():
        await asyncio.to_thread(postgres.execute, CUT)
        await tx.fetch_one(add(table))


async def test_connection_lost_in_a_savepoint_is_unavailable(account: Any) -> None:
    """There is nothing to go back to."""

    async def lose_it() -> None:
        async with db.transaction() as tx:
            await lose_it_in_a_savepoint(tx, account)

    with pytest.raises(db.Unavailable):
        await lose_it()

    assert await db.fetch_value(sa.select(account.c.amount)) == 0


@pytest.mark.parametrize("more", [True, False])
async def test_who_goes_on_after_a_lost_connection_commits_nothing(account: Any, more: bool) -> None:
    async def go_on() -> None:
        async with db.transaction() as tx:
            with contextlib.suppress(db.Unavailable):
                await lose_it_in_a_savepoint(tx, account)
            if more:
                await tx.fetch_one(add(account))

    with pytest.raises(db.Unavailable):
        await go_on()


@pytest.mark.parametrize("run", [by_itself, at_once])
async def test_statement_whose_plan_became_invalid_is_run_once_more(account: Any, run: Run) -> None:
    """A migration changed the type of a column while the site serves."""
    for amount in (1, 2):
        assert (await run(add(account))).amount == amount

    await altered(account)

    assert (await run(add(account))).amount == 3
    assert await db.fetch_value(sa.select(account.c.amount)) == 3


async def test_transaction_whose_plan_became_invalid_is_unavailable_once(account: Any) -> None:
    """What it did before cannot be repeated here."""
    await in_a_transaction(add(account))
    await altered(account)

    with pytest.raises(db.Unavailable, match="0A000"):
        await in_a_transaction(add(account))

    assert (await in_a_transaction(add(account))).amount == 2


@asynccontextmanager
async def cutting(times: int) -> AsyncIterator[int]:
    """A way to the server that cuts so many connections at their first statement; yields its port."""
    left = times
    relays = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        relays.add(asyncio.current_task())
        answers, requests = await asyncio.open_connection("127.0.0.1", postgres.port())

        async def answer() -> None:
            while data := await answers.read(65536):
                writer.write(data)

        back = asyncio.create_task(answer())
        while data := await reader.read(65536):
            if left and data.startswith(b"Q"):  # a simple query: BEGIN
                left -= 1
                break
            requests.write(data)
        back.cancel()
        requests.close()
        writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*relays)


async def cut() -> None:
    """End every connection, and let the loop hear of it."""
    await asyncio.to_thread(postgres.execute, CUT)
    for _ in range(10):
        await asyncio.sleep(0)


async def altered(table: Any) -> None:
    postgres.execute(f"ALTER TABLE {table.name} ALTER COLUMN amount TYPE bigint", url=db.url())
