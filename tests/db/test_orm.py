"""Edgy's ORM on the fixed database class: none of the defects that tests/upstream shows."""

import asyncio
import threading
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import User, user_rows
from tests.support import database as databases
from tests.support.people import Person, make_user

pytestmark = [pytest.mark.database, pytest.mark.anyio]


@pytest.fixture
async def person(database: Any) -> Person:
    return await make_user(name="0")


async def name_of(person: Person) -> str:
    return str(await db.fetch_value(sa.select(user_rows.c.name).where(user_rows.c.id == person.id)))


def lent() -> int:
    pool: Any = db.database.engine.pool  # type: ignore[union-attr]
    return int(pool.checkedout())


async def rename(person: Person, name: str) -> None:
    await User.query.filter(id=person.id).update(name=name)


async def rename_and_fail(person: Person, name: str) -> None:
    async with db.database.transaction():
        await rename(person, name)
        raise LookupError


async def test_create_get_and_update_are_seen_by_core(database: Any) -> None:
    user = await User.query.create(email="Ann@b.example", email_key="ann@b.example", name="Ann", password="-")
    await (await User.query.get(email_key="ann@b.example")).update(name="Anna")

    row = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == user.id))
    assert (row.name, row.role, row.is_active) == ("Anna", "user", True)
    assert lent() == 0


async def test_models_follow_to_another_database(person: Person, tmp_path: Path) -> None:
    here = db.url()
    await db.disconnect()
    folder = tmp_path / "other"
    folder.mkdir()

    db.point_at(databases.fresh(folder))
    await db.connect()
    there = await User.query.get_or_none(id=person.id)
    await db.disconnect()
    db.point_at(here)
    await db.connect()

    assert there is None
    assert await User.query.get_or_none(id=person.id)


async def test_an_error_undoes_the_transaction(person: Person) -> None:
    with pytest.raises(LookupError):
        await rename_and_fail(person, "1")

    assert await name_of(person) == "0"
    assert lent() == 0


async def test_read_then_write_in_a_transaction_loses_nothing(person: Person) -> None:
    async def increment() -> None:
        async with db.database.transaction():
            row: Any = await db.database.fetch_one(sa.select(user_rows.c.name).with_for_update())
            await rename(person, str(int(row.name) + 1))

    await asyncio.gather(*[increment() for _ in range(20)])

    assert await name_of(person) == "20"


async def test_a_nested_transaction_is_undone_alone(person: Person) -> None:
    async with db.database.transaction():
        await rename(person, "1")
        with pytest.raises(LookupError):
            await rename_and_fail(person, "2")

    assert await name_of(person) == "1"


async def test_statements_before_and_after_a_transaction_count(person: Person) -> None:
    other = await make_user(name="0")
    async with db.database.connection() as connection:
        await connection.fetch_all(sa.select(user_rows))
        async with connection.transaction():
            await rename(person, "1")
        await rename(other, "2")

    assert (await name_of(person), await name_of(other)) == ("1", "2")


async def test_failing_begin_gives_its_connection_back(person: Person) -> None:
    with pytest.raises(TypeError, match="isolation_level"):
        async with db.database.transaction(isolation_level="SERIALIZABLE"):
            pytest.fail("options are refused")

    assert lent() == 0


@pytest.mark.parametrize("turns", range(0, 30, 3))
async def test_a_cancelled_transaction_leaves_nothing(person: Person, turns: int) -> None:
    async def change() -> None:
        async with db.database.transaction():
            await rename(person, "1")
            await asyncio.Event().wait()

    task = asyncio.create_task(change())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert await name_of(person) == "0"
    await rename(person, "2")
    assert await name_of(person) == "2", "nobody holds a lock"
    assert lent() == 0


async def test_an_attribute_that_was_not_loaded_is_an_error_everywhere(person: Person) -> None:
    """Stock: a query in another thread, while this one and its event loop stand still."""
    lazy = await User.query.only("id").get(id=person.id)
    threads = set(threading.enumerate())

    for context in (None, Context()):  # also where nobody has set a context variable
        with pytest.raises(RuntimeError, match="disabled"):
            context.run(getattr, lazy, "name") if context else lazy.name

    assert set(threading.enumerate()) - threads <= {thread for thread in threading.enumerate() if thread.daemon}


async def test_errors_show_no_value(person: Person) -> None:
    with pytest.raises(sa.exc.IntegrityError) as caught:
        await User.query.create(email="x", email_key=person.email, name="x", password="$argon2id$secret")

    assert "argon2id" not in str(caught.value)
