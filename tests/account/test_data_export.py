"""The copy of one's data: all of it, nobody else's, and no secret in it."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.account import data_export
from app.audit import events, queries
from app.auth import email_links
from app.auth.models import link_rows, session_rows, user_rows
from app.db import owned_rows
from app.db.owned_rows import OwnedRows
from app.email import outbox
from app.notes import store
from app.web import features
from tests.support.people import Person, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

# What must not be in it: anyone who finds the file could sign in with it, or guess at it.
SECRET = {
    "users": {"password"},
    "sessions": {"secret"},
    "mail_links": {"secret", "password", "fingerprint"},
    "authenticators": {"secret"},
    "recovery_codes": {"digest"},
}
# What tells nothing about the person: counts and keys of ours, and what stands beside it in another form.
OURS = {
    "users": {"email_key", "search_text"},
    "sessions": {"user_id", "generation", "confirmed", "handed_at", "device_key"},
    "mail_links": {"user_id", "email_key"},
    "authenticators": {"user_id", "last_step"},
    "recovery_codes": {"user_id"},
    "passkeys": {"user_id", "credential", "public_key", "uses"},
    "letters": {"user_id", "facts", "text", "html", "error", "attempts", "next_try_at"},
    "audit_events": {"user_id", "actor_id", "request_id"},
}


@pytest.fixture
async def person(client: Visitor) -> Person:
    """Somebody with everything there is."""
    person = await make_user(name="Robin \u202dExample")
    await sign_in(client, person)
    await store.create(person.id, "Mine", 'A "line"\nand another')  # notes
    async with db.transaction() as tx:
        await email_links.make(
            tx, email_links.CHANGE_EMAIL, db.utcnow(), user_id=person.id, email="next@example.com",
            fingerprint="f" * 64, password="never-a-password-here",
        )  # fmt: skip
        await outbox.enqueue(tx, "password_changed", user_id=person.id)
    await events.record(events.LOGIN, user_id=person.id)
    return person


async def copy(client: Visitor) -> dict[str, Any]:
    answer = await client.submit("/account/export")
    assert answer.status_code == 200
    return dict(json.loads(answer.text))


async def test_copy_holds_everything_of_the_person(client: Visitor, person: Person) -> None:
    found = await copy(client)

    assert found["profile"][0]["email"] == person.email
    assert found["profile"][0]["name"] == person.name
    assert found["notes"][0]["body"] == 'A "line"\nand another'  # notes
    assert found["links"][0]["email"] == "next@example.com"
    assert found["letters"][0]["kind"] == "password_changed"
    assert len(found["sessions"]) == 1
    assert {event["event"] for event in found["activity"]} == {events.LOGIN, events.DATA_EXPORTED}


# v5.0.0-8.2.2
async def test_copy_holds_nothing_of_anybody_else(client: Visitor, person: Person) -> None:
    other = await make_user(name="Somebody Else")
    await store.create(other.id, "Theirs", "")  # notes
    await events.record(events.LOGOUT, user_id=other.id)

    text = (await client.submit("/account/export")).text

    for alien in ("Somebody Else", other.email, str(other.id), "Theirs", events.LOGOUT):
        assert alien not in text


# v5.0.0-14.2.6
async def test_copy_holds_no_secret(client: Visitor, person: Person) -> None:
    text = (await client.submit("/account/export")).text

    for table in (user_rows, session_rows, link_rows):
        (row,) = await db.fetch_all(sa.select(table))
        for column in SECRET[table.name]:
            assert len(row._mapping[column]) > 20
            assert row._mapping[column] not in text, (table.name, column)
    assert "eyJ" not in text


def exported() -> list[OwnedRows]:
    sources = [*data_export.TABLES.values(), *features.table("export").values()]
    return [rows for rows in sources if isinstance(rows, OwnedRows)]


def test_every_column_is_in_the_copy_or_left_out_on_purpose() -> None:
    """Who adds a column has to say here which it is."""
    for rows in data_export.TABLES.values():
        assert rows.left_out == SECRET.get(rows.table.name, set()) | OURS[rows.table.name], rows.table.name
    for rows in exported():
        assert rows.left_out <= {column.name for column in rows.table.c}


def test_no_column_that_a_model_calls_secret_is_in_the_copy() -> None:
    secret = {
        (model.table.name, name)
        for model in db.registry.models.values()
        for name, field in model.meta.fields.items()
        if field.secret
    }
    in_the_copy = {(rows.table.name, column.name) for rows in exported() for column in rows.table.c} - {
        (rows.table.name, name) for rows in exported() for name in rows.left_out
    }

    assert ("sessions", "device_key") in secret
    assert secret & in_the_copy == set()


@pytest.mark.usefixtures("database")
async def test_every_table_about_a_person_is_in_the_copy(person: Person) -> None:
    owners = {"user_id", "owner_id"}
    about = {model.table.name for model in db.registry.models.values() if owners & {c.name for c in model.table.c}}
    feed = {"changes"}  # ids of five minutes, for the workers
    index = {"user_words"}  # name and address once more, to be found by

    assert about - feed - index <= {rows.table.name for rows in exported()}


async def test_copy_is_a_file_that_nobody_keeps(client: Visitor, person: Person) -> None:
    answer = await client.submit("/account/export")

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == f'attachment; filename="lanyard-{db.utcnow():%Y-%m-%d}.json"'
    assert answer.headers["cache-control"] == "no-store"


async def test_page_makes_no_copy(client: Visitor, person: Person) -> None:
    page = await client.visit("/account/export")

    assert "Export your data" in page.text
    assert "your notes" in page.text  # notes
    assert events.DATA_EXPORTED not in [event.event for event in await queries.of_user(person.id)]


async def test_more_than_a_page_of_anything_is_there_in_full(
    client: Visitor, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owned_rows, "PAGE", 3)
    for _ in range(7):
        await store.create(person.id, "One of many", "")  # notes
        await events.record(events.NAME_CHANGED, user_id=person.id)

    found = await copy(client)

    assert [event["event"] for event in found["activity"]].count(events.NAME_CHANGED) == 7
    assert len(found["notes"]) == 8  # notes
