"""Constraints: rows that the database itself refuses."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import session_rows, user_rows
from app.notes.models import note_rows
from tests.support.people import make_user, start_session

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]


async def count(table: Any) -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).select_from(table)))


async def test_an_account_that_breaks_a_rule_is_refused() -> None:
    person = await make_user()

    with pytest.raises(sa.exc.IntegrityError):
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(email_key="UPPER@example.com"))


async def test_two_accounts_of_one_address_are_refused() -> None:
    first, second = await make_user(), await make_user()
    same = sa.select(user_rows.c.email_key).where(user_rows.c.id == first.id).scalar_subquery()

    with pytest.raises(sa.exc.IntegrityError):
        await db.execute(sa.update(user_rows).where(user_rows.c.id == second.id).values(email_key=same))


OWNERS = [
    session_rows.c.user_id,
    note_rows.c.owner_id,  # notes
]


@pytest.mark.parametrize("column", OWNERS, ids=str)
async def test_rows_without_an_owner_are_refused(column: Any) -> None:
    texts = {each.name: "" for each in column.table.c if isinstance(each.type, sa.String)}
    times = {each.name: db.utcnow() for each in column.table.c if each.name.endswith("_at")}

    with pytest.raises(sa.exc.IntegrityError):
        await db.execute(sa.insert(column.table).values(texts | times | {"id": db.uuid7(), column.name: db.uuid7()}))

    assert await count(column.table) == 0


async def test_sessions_go_with_their_user_alone() -> None:
    person, other = await make_user(), await make_user()
    await start_session(person)
    await start_session(other)

    await db.execute(sa.delete(user_rows).where(user_rows.c.id == person.id))

    assert await db.fetch_all(sa.select(session_rows.c.user_id)) == [(other.id,)]
