"""Migration 0019 over stored rows: roles of one's own are taken from then on, and become users on the way back."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.db import schema
from tests.db.test_migrations import ask

pytestmark = pytest.mark.database

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def table(name: str, *columns: str) -> Any:
    every = schema.metadata().tables[name].c
    return sa.table(name, *(sa.column(column, every[column].type) for column in columns))


def add(name: str, role: str, **values: Any) -> None:
    """A person with that role, and a word that finds the account."""
    user = {"id": db.uuid7(), "email": name, "email_key": name, "name": name, "search_text": "", "password": "-"}
    user |= {"role": role, "is_active": True, "must_change_password": False, "created_at": NOON} | values
    word = {"word": name, "user_id": user["id"]}

    def insert(connection: sa.Connection) -> None:
        connection.execute(sa.insert(table("users", *user)).values(user))
        connection.execute(sa.insert(table("user_words", *word)).values(word))

    ask(insert)


def people() -> list[Any]:
    query = sa.select(*table("users", "name", "role").c).order_by(sa.text("name"))
    return ask(lambda connection: [tuple(row) for row in connection.execute(query)])


def words() -> list[Any]:
    query = sa.select(*table("user_words", "word").c).order_by(sa.text("word"))
    return ask(lambda connection: list(connection.scalars(query)))


def indexes() -> set[Any]:
    return ask(lambda connection: {index["name"] for index in sa.inspect(connection).get_indexes("users")})


def test_roles_of_ones_own_are_taken_and_become_users_on_the_way_back(url: str) -> None:
    db.upgrade("0018")
    add("ann", "admin")
    add("bob", "user")
    before = indexes()
    with pytest.raises(sa.exc.IntegrityError):
        add("sue", "support")

    db.upgrade("0019")
    add("sue", "support")
    with pytest.raises(sa.exc.IntegrityError):
        add("eve", "user", email_key="UPPER")
    assert people() == [("ann", "admin"), ("bob", "user"), ("sue", "support")]
    assert indexes() == before
    db.downgrade("0018")

    assert people() == [("ann", "admin"), ("bob", "user"), ("sue", "user")]
    assert words() == ["ann", "bob", "sue"]
    assert indexes() == before
    for wrong in ({"role": "support"}, {"role": "user", "email_key": "UPPER"}):
        with pytest.raises(sa.exc.IntegrityError):
            add("eve", **wrong)
