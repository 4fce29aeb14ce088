"""Times are aware UTC in every direction, and keys sort by time."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import RFC_4122

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import User, user_rows
from app.db.columns import AwareUTC
from tests.support.people import make_user

pytestmark = [pytest.mark.database, pytest.mark.anyio]

TOKYO = timezone(timedelta(hours=9))
NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)

times = sa.Table("times", sa.MetaData(), sa.Column("at", AwareUTC()))


@pytest.fixture
async def table(account: Any) -> Any:
    await db.execute(sa.schema.CreateTable(times))
    return times


# v5.0.0-16.2.2
@pytest.mark.parametrize("given", [NOON, NOON.astimezone(TOKYO)], ids=["UTC", "Tokyo"])
async def test_a_time_comes_back_as_the_same_instant_in_utc(table: Any, given: datetime) -> None:
    await db.execute(sa.insert(table).values(at=given))

    found = await db.fetch_value(sa.select(table.c.at))

    assert found == NOON
    assert found.utcoffset() == timedelta(0)


async def test_no_time_stays_none(table: Any) -> None:
    await db.execute(sa.insert(table).values(at=None))

    assert await db.fetch_all(sa.select(table.c.at)) == [(None,)]


async def test_a_naive_time_is_refused(table: Any) -> None:
    with pytest.raises(sa.exc.StatementError, match="naive"):
        await db.execute(sa.insert(table).values(at=NOON.replace(tzinfo=None)))

    assert await db.fetch_all(sa.select(table)) == []


async def test_times_of_two_zones_compare_as_instants(table: Any) -> None:
    await db.execute(sa.insert(table).values(at=NOON))
    later = (NOON + timedelta(microseconds=1)).astimezone(TOKYO)

    assert await db.fetch_one(sa.select(table).where(table.c.at < later))
    assert not await db.fetch_one(sa.select(table).where(table.c.at >= later))


async def test_the_models_read_and_write_aware_times(database: Any) -> None:
    person = await make_user()

    user = await User.query.get(id=person.id)
    await user.update(last_login=NOON.astimezone(TOKYO))

    assert user.created_at.utcoffset() == timedelta(0)
    assert (await User.query.get(id=person.id)).last_login == NOON
    assert await db.fetch_value(sa.select(user_rows.c.last_login)) == NOON


async def test_the_models_refuse_naive_times(database: Any) -> None:
    person = await make_user()
    user = await User.query.get(id=person.id)

    with pytest.raises(sa.exc.StatementError, match="naive"):
        await user.update(last_login=NOON.replace(tzinfo=None))


async def test_database_clock_is_aware_utc_below_a_second(account: Any) -> None:
    before = db.utcnow()
    found = [await db.fetch_value(sa.select(db.now())) for _ in range(20)]
    after = db.utcnow()

    blink = timedelta(milliseconds=1)  # SQLite cuts there
    assert all(before - blink <= each <= after + blink for each in found)
    assert all(each.utcoffset() == timedelta(0) for each in found)
    assert any(each.microsecond for each in found)


async def test_the_database_compares_its_clock_with_columns(table: Any) -> None:
    await db.execute(sa.insert(table).values(at=db.utcnow() - timedelta(seconds=1)))
    await db.execute(sa.insert(table).values(at=db.utcnow() + timedelta(minutes=1)))

    past = await db.fetch_all(sa.select(table).where(table.c.at <= db.now()))

    assert len(past) == 1


async def test_the_database_can_keep_its_own_time(table: Any) -> None:
    await db.execute(sa.insert(table).values(at=db.now()))

    # Equal only if it was kept as long as any other time: SQLite compares texts.
    kept = await db.fetch_value(sa.select(table.c.at))
    assert await db.fetch_one(sa.select(table).where(table.c.at == kept))


def test_keys_are_version_7_and_sort_by_time() -> None:
    keys = [db.uuid7() for _ in range(10_000)]

    milliseconds = [key.int >> 80 for key in keys]
    assert {(key.version, key.variant) for key in keys} == {(7, RFC_4122)}
    assert len(set(keys)) == len(keys)
    assert milliseconds == sorted(milliseconds)
    assert abs(milliseconds[0] / 1000 - db.utcnow().timestamp()) < 10


def test_keys_sort_within_a_millisecond_too() -> None:
    stamps = [db.uuid7().int >> 62 for _ in range(200)]

    assert stamps == sorted(stamps)
