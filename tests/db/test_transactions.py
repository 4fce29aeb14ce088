"""One statement wins or does not; a transaction is all or nothing, whatever ends it."""

import asyncio
import contextlib
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.db import schema
from app.settings import get_settings
from tests.support import database as databases

pytestmark = [pytest.mark.database, pytest.mark.anyio]

bounds: Any = sys.modules["app.db.database"]  # `app.db.database` is the database itself
IDLE = "idle_in_transaction_session_timeout"
SIZE = get_settings().database_pool_size


async def amount(table: Any) -> int:
    return int(await db.fetch_value(sa.select(table.c.amount).where(table.c.id == 1)))


def add(table: Any, number: int) -> Any:
    return sa.update(table).where(table.c.id == 1).values(amount=table.c.amount + number)


async def test_a_statement_alone_is_committed(account: Any) -> None:
    touched = await db.execute(add(account, 5))

    assert touched == 1
    assert await amount(account) == 5


async def test_no_row_is_none_and_no_rows_are_an_empty_list(account: Any) -> None:
    nowhere = sa.select(account).where(account.c.id == 2)

    assert await db.fetch_one(nowhere) is None
    assert await db.fetch_value(nowhere) is None
    assert await db.fetch_all(nowhere) == []
    assert await db.execute(sa.delete(account).where(account.c.id == 2)) == 0


async def test_a_transaction_is_seen_by_others_only_when_it_is_over(account: Any) -> None:
    async with db.transaction() as tx:
        inside = await tx.fetch_value(add(account, 5).returning(account.c.amount))
        outside = await amount(account)

    assert (inside, outside) == (5, 0)
    assert await amount(account) == 5


# v5.0.0-2.3.3
@pytest.mark.parametrize("error", [RuntimeError, OSError, TimeoutError, KeyboardInterrupt, asyncio.CancelledError])
async def test_whatever_is_raised_inside_undoes_all_and_comes_out_unchanged(
    account: Any, error: type[BaseException]
) -> None:
    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.execute(add(account, 5))
            raise error("of the caller's own")

    with pytest.raises(error) as caught:
        await fail()

    assert caught.type is error
    assert await amount(account) == 0


async def test_read_then_write_loses_nothing(account: Any) -> None:
    async def deposit() -> None:
        async with db.transaction() as tx:
            row = await tx.fetch_one(sa.select(account.c.amount).where(account.c.id == 1).with_for_update())
            await tx.execute(sa.update(account).where(account.c.id == 1).values(amount=row.amount + 1))

    await asyncio.gather(*[deposit() for _ in range(40)])

    assert await amount(account) == 40


# v5.0.0-15.4.2
async def test_of_many_that_compare_and_swap_one_wins(account: Any) -> None:
    async def swap() -> Any:
        untouched = sa.update(account).where(account.c.id == 1, account.c.amount == 0)
        return await db.fetch_one(untouched.values(amount=1).returning(account.c.amount))

    rows = await asyncio.gather(*[swap() for _ in range(60)])

    assert len([row for row in rows if row]) == 1


async def test_a_savepoint_undoes_its_own_part_alone(account: Any) -> None:
    async def fail(tx: Any) -> None:
        async with tx.savepoint():
            await tx.execute(add(account, 100))
            await tx.execute(sa.insert(account).values(id=1, amount=0))

    async with db.transaction() as tx:
        await tx.execute(add(account, 5))
        with pytest.raises(sa.exc.IntegrityError):
            await fail(tx)
        await tx.execute(add(account, 2))

    assert await amount(account) == 7


async def test_a_savepoint_inside_a_savepoint_undoes_its_own_part_alone(account: Any) -> None:
    async def fail(tx: Any) -> None:
        async with tx.savepoint():
            await tx.execute(add(account, 100))
            raise LookupError

    async with db.transaction() as tx, tx.savepoint():
        await tx.execute(add(account, 5))
        with pytest.raises(LookupError):
            await fail(tx)
        await tx.execute(add(account, 2))

    assert await amount(account) == 7


async def test_a_transaction_in_which_a_statement_failed_commits_nothing(account: Any) -> None:
    async def carry_on() -> None:
        async with db.transaction() as tx:
            await tx.execute(add(account, 5))
            with contextlib.suppress(sa.exc.IntegrityError):
                await tx.execute(sa.insert(account).values(id=1, amount=0))

    with pytest.raises(RuntimeError, match="savepoint"):
        await carry_on()

    assert await amount(account) == 0


async def test_after_commit_callbacks_run_only_after_the_commit(account: Any) -> None:
    told: list[str] = []

    async with db.transaction() as tx:
        tx.after_commit.append(lambda: told.append("committed"))
        await tx.execute(add(account, 5))
        before = list(told)

    assert (before, told) == ([], ["committed"])


async def test_after_commit_callbacks_do_not_run_after_a_rollback(account: Any) -> None:
    told: list[str] = []

    async def fail() -> None:
        async with db.transaction() as tx:
            tx.after_commit.append(lambda: told.append("committed"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert told == []


async def test_a_unique_row_twice_is_an_integrity_error_that_names_no_value(account: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError) as caught:
        await db.execute(sa.insert(account).values(id=1, amount=424242))

    assert "424242" not in str(caught.value)


@pytest.mark.parametrize("cancels", [1, 2])
@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_a_transaction_cancelled_anywhere_leaves_nothing(account: Any, turns: int, cancels: int) -> None:
    finished = asyncio.Event()

    async def transfer() -> None:
        async with db.transaction() as tx:
            await tx.execute(add(account, 5))
            await tx.execute(add(account, 5))
            await asyncio.Event().wait()
        finished.set()

    task = asyncio.create_task(transfer())
    for _ in range(turns):
        await asyncio.sleep(0)
    for _ in range(cancels):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])

    assert task.cancelled()
    assert not finished.is_set()
    assert await amount(account) == 0
    assert await db.execute(add(account, 1)) == 1, "nobody holds a lock"


async def test_what_is_done_at_once_is_committed_as_one(account: Any) -> None:
    def transfer(connection: sa.Connection) -> int:
        connection.execute(add(account, 5))
        return int(connection.execute(add(account, 5).returning(account.c.amount)).scalar_one())

    assert await db.run_in_transaction(transfer) == 10
    assert await amount(account) == 10


async def test_what_fails_at_once_leaves_nothing_and_keeps_its_connection(account: Any) -> None:
    def fail(connection: sa.Connection) -> None:
        connection.execute(add(account, 5))
        connection.execute(sa.insert(account).values(id=1, amount=0))

    for _ in range(SIZE + 1):
        with pytest.raises(sa.exc.IntegrityError):
            await db.run_in_transaction(fail)

    assert await amount(account) == 0
    assert await db.execute(add(account, 1)) == 1, "nobody holds a lock"


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_what_is_cancelled_at_once_happens_as_a_whole_or_not_at_all(account: Any, turns: int) -> None:
    def transfer(connection: sa.Connection) -> None:
        connection.execute(add(account, 5))
        connection.execute(add(account, 5))

    task = asyncio.create_task(db.run_in_transaction(transfer))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await db._current_pool().wait_for_background()

    assert await amount(account) in (0, 10)
    assert await db.execute(add(account, 1)) == 1, "nobody holds a lock"


async def test_statement_that_was_prepared_takes_its_values_each_time(account: Any) -> None:
    which = account.c.id == sa.bindparam("which")
    raised, read = sa.update(account).where(which), sa.select(account.c.amount).where(which)

    changed = [await db.execute(raised, {"which": number, "amount": 7}) for number in (1, 2)]

    assert changed == [1, 0]
    assert await db.fetch_value(read, {"which": 1}) == 7


async def test_transaction_that_takes_too_long_is_unavailable_and_leaves_nothing(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change feed is read minutes back: what changes a session must not become visible later than that."""
    monkeypatch.setattr(db, "TRANSACTION_SECONDS", 0.05)

    async def dawdle() -> None:
        async with db.transaction() as tx:
            await tx.execute(add(account, 5))
            await asyncio.Event().wait()

    with pytest.raises(db.Unavailable, match="too long"):
        await dawdle()

    assert await amount(account) == 0
    assert await db.execute(add(account, 1)) == 1, "nobody holds a lock"


@pytest.mark.skipif(not databases.POSTGRESQL, reason="bounds of PostgreSQL")
async def test_server_ends_a_transaction_that_says_nothing_and_a_statement_that_lasts(account: Any) -> None:
    shown = [await db.fetch_value(sa.text(f"SHOW {name}")) for name in ("statement_timeout", IDLE)]

    assert shown == [f"{bounds.STATEMENT_SECONDS}s"] * 2
    assert bounds.STATEMENT_SECONDS < bounds.ANSWER_SECONDS < bounds.TRANSACTION_SECONDS

    async with db.transaction() as tx:
        await tx.execute(sa.text("SET LOCAL statement_timeout = 20"))
        with pytest.raises(db.Unavailable, match="57014"):
            async with tx.savepoint():
                await tx.execute(sa.text("SELECT pg_sleep(5)"))
    assert await db.execute(add(account, 1)) == 1


@pytest.mark.skipif(not databases.POSTGRESQL, reason="bounds of PostgreSQL")
async def test_migrations_have_no_bounds(url: str) -> None:
    shown = await schema.on_own_connection(lambda own: own.exec_driver_sql("SHOW statement_timeout").scalar())

    assert shown == "0"
