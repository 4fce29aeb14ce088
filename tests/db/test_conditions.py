"""A request writes only while what it stands on holds, whichever way it writes, and nobody has to think of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import User, user_rows
from app.db.conditions import Condition
from tests.db.conftest import ledger
from tests.support import database as databases
from tests.support.people import make_user
from tests.support.statements import sent

pytestmark = [pytest.mark.database, pytest.mark.anyio]

HERE, ELSEWHERE = UUID(int=1), UUID(int=2)
ROW = sa.select(ledger).where(ledger.c.id == sa.bindparam("account"))
ADDED = sa.update(ledger).where(ledger.c.id == 1).values(amount=ledger.c.amount + 1)


class Over(Exception):
    pass


def not_in_debt(row: Any) -> None:
    if row is None or row.amount < 0:
        raise Over


def of_the_account() -> Condition:
    first, locked = ROW.with_for_update(key_share=True), ROW.with_for_update(read=True)
    return Condition(HERE, ROW, first, locked, {"account": 1, "holder": 1}, decide=not_in_debt)


@pytest.fixture
async def request_(account: Any) -> AsyncIterator[Any]:
    """A request that may write while the account is not in debt."""
    with db.conditions.request() as request:
        db.conditions.require(of_the_account())
        yield request


async def amount() -> int:
    return int(await db.fetch_value(sa.select(ledger.c.amount).where(ledger.c.id == 1)))


async def goes_into_debt() -> None:
    """By somebody else's hand."""
    with db.conditions.request():
        await db.execute(sa.update(ledger).values(amount=-10))


async def in_a_transaction() -> None:
    async with db.transaction() as tx:
        await tx.execute(ADDED)


WAYS = {
    "execute": lambda: db.execute(ADDED),
    "text": lambda: db.execute(sa.text("UPDATE ledger SET amount = amount + 1")),
    "fetch_one": lambda: db.fetch_one(ADDED.returning(ledger.c.amount)),
    "fetch_value": lambda: db.fetch_value(ADDED.returning(ledger.c.amount)),
    "fetch_all": lambda: db.fetch_all(ADDED.returning(ledger.c.amount)),
    "insert": lambda: db.execute(sa.insert(ledger).values(id=2, amount=1)),
    "delete": lambda: db.execute(sa.delete(ledger)),
    "prune": lambda: db.prune(ledger, ledger.c.id > 1),
    "at_once": lambda: db.run_in_transaction(lambda connection: connection.execute(ADDED)),
    "transaction": in_a_transaction,
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_write_checks_the_condition(account: Any, request_: Any, way: str) -> None:
    await goes_into_debt()

    with pytest.raises(Over):
        await WAYS[way]()

    assert [tuple(row) for row in await db.fetch_all(sa.select(ledger))] == [(1, -10)]


@pytest.mark.parametrize("way", [way for way in WAYS if way != "prune"])
async def test_every_way_to_write_is_open_while_it_holds(account: Any, request_: Any, way: str) -> None:
    await WAYS[way]()

    assert [tuple(row) for row in await db.fetch_all(sa.select(ledger))] != [(1, 0)]


async def test_read_before_the_response_begins_checks_no_condition(account: Any, request_: Any) -> None:
    """The guard has asked, and nothing has been given away yet."""
    await goes_into_debt()

    assert await amount() == -10


async def test_read_during_the_response_checks_the_condition_afterwards(account: Any, request_: Any) -> None:
    request_.answering = True
    with sent() as seen:
        assert await amount() == 0
    await goes_into_debt()

    assert len(seen) == 2
    assert "ledger.id" in seen[1].sql
    for read in (db.fetch_one, db.fetch_all, db.fetch_value):
        with pytest.raises(Over):
            await read(sa.select(ledger))


# v5.0.0-15.4.2
async def test_what_held_at_the_beginning_alone_is_not_committed(account: Any, request_: Any) -> None:
    """On SQLite nobody else can write between the two."""
    ending: Any = None

    async def deposit() -> None:
        nonlocal ending
        async with db.transaction() as tx:
            await tx.execute(sa.insert(ledger).values(id=2, amount=5))
            ending = asyncio.ensure_future(goes_into_debt())
            if databases.POSTGRESQL:
                await ending

    if databases.POSTGRESQL:
        with pytest.raises(Over):
            await deposit()
    else:
        await deposit()
        await ending

    there = await db.fetch_value(sa.select(ledger.c.amount).where(ledger.c.id == 2))
    assert there == (None if databases.POSTGRESQL else -10)


@pytest.mark.skipif(not databases.POSTGRESQL, reason="SQLite has one writer at a time")
async def test_session_cannot_end_between_the_last_check_and_the_commit(account: Any, request_: Any) -> None:
    with sent() as seen:
        await in_a_transaction()

    last = [statement.sql for statement in seen][-3:]
    assert "FOR NO KEY UPDATE" in last[0]
    assert "FOR SHARE" in last[1]
    assert last[2] == "COMMIT"


async def test_many_at_once_of_one_request_wait_for_each_other_and_not_for_ever(account: Any, request_: Any) -> None:
    await asyncio.gather(*(in_a_transaction() for _ in range(10)), *(db.execute(ADDED) for _ in range(10)))

    assert await amount() == 20


async def test_what_the_request_ends_itself_it_may_finish(account: Any, request_: Any) -> None:
    async with db.transaction() as tx:
        await tx.execute(sa.update(ledger).values(amount=-10))
        tx.session_ended(HERE)

    await db.execute(ADDED)

    assert await amount() == -9


async def test_end_of_another_session_settles_nothing(account: Any, request_: Any) -> None:
    async with db.transaction() as tx:
        tx.session_ended(ELSEWHERE)
    await goes_into_debt()

    with pytest.raises(Over):
        await db.execute(ADDED)


async def test_end_that_was_undone_settles_nothing(account: Any, request_: Any) -> None:
    async def ends_and_fails() -> None:
        async with db.transaction() as tx:
            tx.session_ended(HERE)
            raise LookupError

    with pytest.raises(LookupError):
        await ends_and_fails()
    await goes_into_debt()

    with pytest.raises(Over):
        await db.execute(ADDED)


async def test_outside_of_a_request_no_condition_is_checked(account: Any) -> None:
    await goes_into_debt()
    with sent() as seen:
        await db.execute(ADDED)

    assert len(seen) == 1


def test_condition_without_a_request_is_refused() -> None:
    """Fail closed: nobody would ask it."""
    with pytest.raises(RuntimeError, match="request"):
        db.conditions.require(of_the_account())


async def test_one_request_does_not_know_what_another_stands_on(account: Any, request_: Any) -> None:
    await goes_into_debt()

    with db.conditions.request():
        await db.execute(ADDED)

    assert await amount() == -9


ORM = {
    "create": lambda _: User.query.create(email="Ann@b.example", email_key="ann@b.example", name="Ann", password="-"),
    "update": lambda user: user.update(name="Late"),
    "update of many": lambda _: User.query.filter(name="Robin Example").update(name="Late"),
    "delete": lambda user: user.delete(),
    "delete of many": lambda _: User.query.filter(name="Robin Example").delete(),
}


@pytest.mark.parametrize("way", ORM)
async def test_the_orm_asks_too(database: str, way: str) -> None:
    person = await make_user()
    user = await User.query.get(id=person.id)
    nobody = sa.select(user_rows).where(user_rows.c.id == sa.bindparam("holder"))

    def gone(_: Any) -> None:
        raise Over

    with db.conditions.request():
        db.conditions.require(Condition(HERE, nobody, nobody, nobody, {"holder": person.id}, decide=gone))
        with pytest.raises(Over):
            await ORM[way](user)

    assert [row.name for row in await db.fetch_all(sa.select(user_rows))] == [person.name]
