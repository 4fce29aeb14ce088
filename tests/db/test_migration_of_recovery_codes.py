"""Migration 0014 over stored rows: codes of before stay good, and on the way back those that nobody has saved go."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.db import schema
from tests.db.test_migrations import ask

pytestmark = pytest.mark.database

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def table(*more: str) -> Any:
    every = schema.metadata().tables["recovery_codes"].c
    columns = ("id", "user_id", "digest", "created_at", *more)
    return sa.table("recovery_codes", *(sa.column(name, every[name].type) for name in columns))


def add(digest: str, **more: Any) -> None:
    """A row, and the person whose it is."""
    user = {"id": db.uuid7(), "email": digest, "email_key": digest, "name": "Ann", "search_text": "", "password": "-"}
    user |= {"role": "user", "is_active": True, "created_at": NOON}
    every = schema.metadata().tables["users"].c
    users: Any = sa.table("users", *(sa.column(name, every[name].type) for name in user))
    code = {"id": db.uuid7(), "user_id": user["id"], "digest": digest, "created_at": NOON, **more}

    def insert(connection: sa.Connection) -> None:
        connection.execute(sa.insert(users).values(user))
        connection.execute(sa.insert(table(*more)).values(code))

    ask(insert)


def test_existing_codes_stay_valid_and_unsaved_ones_are_deleted_by_the_downgrade(url: str) -> None:
    db.upgrade("0013")
    add("old")

    db.upgrade("0014")
    assert ask(lambda connection: connection.execute(sa.select(table("saved_at").c.saved_at)).scalar_one()) == NOON
    add("new")
    db.downgrade("0013")

    assert ask(lambda connection: connection.execute(sa.select(table().c.digest)).scalars().all()) == ["old"]
