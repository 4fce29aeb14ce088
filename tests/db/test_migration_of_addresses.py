"""Migration 0009 over stored rows: keys of internationalised domains become those that every door asks for."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.__main__ import main
from app.auth.accounts import user_search
from app.db import schema
from app.web.email_address import email_key
from tests.db.test_migrations import ask

pytestmark = pytest.mark.database

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
PEOPLE, WIRE = "uli@b\u00fccher.example", "uli@xn--bcher-kva.example"


def add(email: str, key: str, name: str = "Uli") -> UUID:
    """A row of before, with the words of before."""
    every, user_id = schema.metadata().tables, db.uuid7()
    columns = {"id", "email", "email_key", "name", "search_text", "password", "role", "is_active", "created_at"}
    table = sa.table("users", *(column for column in _plain(every["users"]) if column.name in columns))
    values = {
        "id": user_id, "email": email, "email_key": key, "name": name, "search_text": f"{name} {key}".lower(),
        "password": "-", "role": "user", "is_active": True, "created_at": NOON,
    }  # fmt: skip

    def insert(connection: sa.Connection) -> None:
        connection.execute(sa.insert(table).values(values))
        found = [{"word": word, "user_id": user_id} for word in user_search.words(f"{name} {key}")]
        connection.execute(sa.insert(every["user_words"]), found)

    ask(insert)
    return user_id


def add_link(key: str) -> None:
    values = {"id": db.uuid7(), "purpose": "register", "secret": "s", "email": key, "email_key": key}
    times = {"created_at": NOON, "ends_at": NOON}
    ask(lambda connection: connection.execute(sa.insert(schema.metadata().tables["mail_links"]).values(values | times)))


def _plain(table: Any) -> list[Any]:
    return [sa.column(column.name, column.type) for column in table.c]


def stored(table: str = "users") -> dict[str, str]:
    column = "email" if table == "users" else "email_key"
    found = ask(lambda connection: connection.exec_driver_sql(f"SELECT {column}, email_key FROM {table}").all())
    return {row[0]: row[1] for row in found}


def words_of(user_id: UUID) -> set[str]:
    table = schema.metadata().tables["user_words"]
    rows = ask(lambda connection: connection.execute(sa.select(table.c.word).where(table.c.user_id == user_id)).all())
    return {row.word for row in rows}


def everything() -> Any:
    return stored(), stored("mail_links"), ask(_words), db.pending()


def _words(connection: sa.Connection) -> list[Any]:
    return sorted(str(row) for row in connection.exec_driver_sql("SELECT word, user_id FROM user_words").all())


@pytest.mark.parametrize(
    ("email", "key"),
    [
        (PEOPLE, PEOPLE),
        (PEOPLE, WIRE),
        (WIRE, WIRE),
        ("Uli@B\u00fccher.example", PEOPLE),
        ("uli@bu\u0308cher.example", "uli@bu\u0308cher.example"),
    ],
)
def test_stored_row_of_either_kind_is_found_under_the_new_key(url: str, email: str, key: str) -> None:
    db.upgrade("0008")
    user_id = add(email, key)
    add_link(key)

    db.upgrade()

    assert stored() == {email: WIRE}
    assert email_key(email) == WIRE
    assert list(stored("mail_links").values()) == [WIRE]
    assert words_of(user_id) == set(user_search.words_of("Uli", WIRE))


def test_plain_row_stays_as_it_is(url: str) -> None:
    db.upgrade("0008")
    user_id = add("Joan@Example.com", "joan@example.com", "Joan")
    add_link("joan@example.com")
    before = words_of(user_id)

    db.upgrade()

    assert stored() == {"Joan@Example.com": "joan@example.com"}
    assert stored("mail_links") == {"joan@example.com": "joan@example.com"}
    assert words_of(user_id) == before


def test_way_back_makes_the_rows_of_before(url: str) -> None:
    db.upgrade("0008")
    add(PEOPLE, PEOPLE)
    add_link(PEOPLE)
    before = everything()
    db.upgrade("0009")

    db.downgrade("0008")

    assert everything() == before


def test_rows_that_would_be_one_stop_it_and_are_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    db.upgrade("0008")
    first, second = add(PEOPLE, PEOPLE), add(WIRE, WIRE)
    other = add("joan@b\u00fccher.example", "joan@b\u00fccher.example")
    add_link(PEOPLE)
    before = everything()

    code = main(["migrate"])

    said = capsys.readouterr().err
    assert code == 1
    assert f"{PEOPLE} ({first})" in said
    assert f"{WIRE} ({second})" in said
    assert str(other) not in said
    assert said.count("\n") == 1
    assert everything() == before


def test_row_that_becomes_a_plain_one_stops_it_too(url: str) -> None:
    db.upgrade("0008")
    first, second = add("joan@example.com", "joan@example.com"), add("joan@\uff45xample.com", "joan@\uff45xample.com")
    before = everything()

    with pytest.raises(db.Stopped, match=f"{second}.*{first}"):
        db.upgrade()

    assert everything() == before


@pytest.mark.parametrize("key", ["j\u00f6an@example.com", "joan@\u2603.example", "joan@xn--zzzz.example"])
def test_account_without_an_address_stops_it_and_is_named(url: str, key: str) -> None:
    """Nobody could sign in to it any more."""
    db.upgrade("0008")
    user_id = add(key, key)
    add(PEOPLE, PEOPLE)
    before = everything()

    with pytest.raises(db.Stopped, match=f"no mail can be sent to.*{user_id}"):
        db.upgrade()

    assert everything() == before


def test_link_to_no_address_waits_for_its_end(url: str) -> None:
    db.upgrade("0008")
    add_link("j\u00f6an@example.com")

    db.upgrade()

    assert list(stored("mail_links").values()) == ["j\u00f6an@example.com"]
