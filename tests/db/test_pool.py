"""Connections are lent first come, first served, and always come back."""

import asyncio
import gc
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.db import pool
from app.settings import get_settings
from app.web import client

pytestmark = pytest.mark.anyio

SIZE = get_settings().database_pool_size


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a connection longer than a blink."""
    monkeypatch.setattr(pool, "POOL_SECONDS", 0.01)


async def lent(count: int, back: asyncio.Event) -> list[asyncio.Task[None]]:
    """Take so many connections of the pool, until `back` is set."""

    async def lend() -> None:
        async with db._current_pool().connection() as connection:
            await connection.execute(sa.select(1))
            taken.release()
            await back.wait()

    taken = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(lend()) for _ in range(count)]
    for _ in tasks:
        await taken.acquire()
    return tasks


async def none_is_missing() -> bool:
    """Can every connection of the pool still be lent, at the same time?"""
    back = asyncio.Event()
    async with asyncio.timeout(10):
        tasks = await lent(SIZE, back)
    back.set()
    await asyncio.gather(*tasks)
    return db.database.engine.pool.checkedout() == 0  # type: ignore[union-attr]


async def test_who_waits_first_is_served_before_who_has_just_given_back(account: Any) -> None:
    others, taken, back, served = asyncio.Event(), asyncio.Event(), asyncio.Event(), []

    async def ask(name: str) -> None:
        async with db._current_pool().connection():
            served.append(name)

    async def give_back_and_ask_again() -> None:
        async with db._current_pool().connection():
            taken.set()
            await back.wait()
        await ask("latecomer")

    tasks = [*await lent(SIZE - 1, others), asyncio.create_task(give_back_and_ask_again())]
    await taken.wait()
    tasks += [asyncio.create_task(ask(name)) for name in ("first", "second", "third")]
    await asyncio.sleep(0)
    back.set()
    await asyncio.gather(*tasks[SIZE - 1 :])
    others.set()
    await asyncio.gather(*tasks)

    assert served == ["first", "second", "third", "latecomer"]


async def test_waiting_too_long_for_a_connection_is_unavailable(account: Any, hurried: None) -> None:
    back = asyncio.Event()
    tasks = await lent(SIZE, back)

    with pytest.raises(db.Unavailable):
        await db.fetch_one(sa.select(account))
    with pytest.raises(db.Unavailable):
        async with db.transaction():
            pass

    back.set()
    await asyncio.gather(*tasks)
    assert await none_is_missing()


async def test_cancelled_waiting_takes_no_slot(account: Any) -> None:
    back = asyncio.Event()
    tasks = await lent(SIZE, back)
    waiting = [asyncio.create_task(db.fetch_one(sa.select(account))) for _ in range(2 * SIZE)]
    await asyncio.sleep(0)

    for task in waiting[::2]:
        task.cancel()
    back.set()
    rows = await asyncio.gather(*tasks, *waiting, return_exceptions=True)

    assert [type(row).__name__ for row in rows[SIZE:]] == ["CancelledError", "Row"] * SIZE
    assert await none_is_missing()


@pytest.mark.parametrize("cancels", [1, 2])
async def test_statements_cancelled_anywhere_leave_no_connection_behind(account: Any, cancels: int) -> None:
    async def work() -> None:
        await db.fetch_all(sa.select(account))
        async with db.transaction() as tx:
            await tx.execute(sa.update(account).values(amount=account.c.amount + 1))

    for turns in range(60):
        tasks = [asyncio.create_task(work()) for _ in range(SIZE + 2)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for _ in range(cancels):
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait(tasks)
    gc.collect()  # a connection that was only forgotten would warn here

    assert await none_is_missing()


async def test_the_first_statements_of_a_pool_cancelled_leave_nothing_behind(url: str) -> None:
    before = len(asyncio.all_tasks())
    for turns in range(40):
        await db.connect()
        tasks = [asyncio.create_task(db.fetch_one(sa.select(1))) for _ in range(4)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await db.disconnect()
        assert len(asyncio.all_tasks()) == before, "nothing is still being opened or closed"
    gc.collect()  # a connection that was only forgotten would warn here


async def test_without_connect_there_is_a_clear_error(url: str) -> None:
    with pytest.raises(RuntimeError, match=r"db\.connect"):
        await db.fetch_one(sa.select(1))


async def test_a_failing_statement_gives_its_connection_back(account: Any) -> None:
    for _ in range(2 * SIZE):
        with pytest.raises(sa.exc.DBAPIError):
            await db.execute(sa.text("UPDATE nowhere SET nothing = 1"))
        with pytest.raises(sa.exc.IntegrityError):
            async with db.transaction() as tx:
                await tx.execute(sa.insert(account).values(id=1, amount=0))

    assert await none_is_missing()


async def test_what_runs_at_a_stroke_sees_the_callers_context(account: Any) -> None:
    """On SQLite it runs in a thread, which starts without any."""
    with client.of({"headers": [], "client": ("192.0.2.1", 1)}) as asking:
        assert await db.run_in_transaction(lambda _: client.current()) is asking
    assert await db.run_in_transaction(lambda _: client.current()) == client.Client()
