"""Migration 0018 over stored rows: notes of before are open and due on no day, and they stay on the way back."""

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


def add(title: str) -> None:
    """A note, and the person whose it is."""
    user = {"id": db.uuid7(), "email": title, "email_key": title, "name": "Ann", "search_text": "", "password": "-"}
    user |= {"role": "user", "is_active": True, "created_at": NOON}
    note = {"id": db.uuid7(), "owner_id": user["id"], "title": title, "created_at": NOON, "updated_at": NOON}

    def insert(connection: sa.Connection) -> None:
        connection.execute(sa.insert(table("users", *user)).values(user))
        connection.execute(sa.insert(table("notes", *note)).values(note))

    ask(insert)


def notes(*columns: str) -> list[Any]:
    rows = ask(lambda connection: connection.execute(sa.select(*table("notes", *columns).c)).all())
    return [tuple(row) for row in rows]


def test_notes_of_before_are_open_and_due_on_no_day_and_stay_on_the_way_back(url: str) -> None:
    db.upgrade("0016")
    add("old")

    db.upgrade("0018")
    assert notes("title", "status", "due_on") == [("old", "open", None)]
    db.downgrade("0016")

    assert notes("title") == [("old",)]
