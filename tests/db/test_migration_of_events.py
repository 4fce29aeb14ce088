"""Migration 0016 over stored rows: events and e-mails of before go on under their new names, and back."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.db import schema
from app.web import features
from tests.db.test_migrations import ask

pytestmark = pytest.mark.database

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
EVENTS = {
    "deletion_asked": "deletion_requested",
    "email_change_asked": "email_change_requested",
    "password_reset_asked": "password_reset_requested",
    "session_asked_again": "session_retry_requested",
    "account_kept": "deletion_cancelled",
    "letter_tried_again": "email_retried",
    "login": "login",
}
KINDS = ("deletion_asked", "email_change_asked", "account_kept")


def add(table: str, **values: Any) -> None:
    every: Any = schema.metadata().tables[table]
    ask(lambda connection: connection.execute(sa.insert(every).values(id=db.uuid7(), **values)))


def stored(table: str, column: str) -> set[str]:
    every: Any = schema.metadata().tables[table]
    return set(ask(lambda connection: connection.execute(sa.select(every.c[column])).scalars().all()))


@pytest.mark.usefixtures("url")
def test_rows_of_before_are_known_under_their_new_names_and_back() -> None:
    db.upgrade("0015")
    for name in EVENTS:
        add("audit_events", event=name, at=NOON)
    for kind in KINDS:
        add("letters", kind=kind, created_at=NOON, next_try_at=NOON)

    db.upgrade("0016")
    assert stored("audit_events", "event") == set(EVENTS.values()) <= set(events.EVENT_TEXT)
    assert stored("letters", "kind") == {EVENTS[kind] for kind in KINDS} <= features.table("emails").keys()

    db.downgrade("0015")
    assert stored("audit_events", "event") == set(EVENTS)
    assert stored("letters", "kind") == set(KINDS)
