"""Migrations: all or nothing, once, and with every row; what they make is what the models declare."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.db import schema

pytestmark = pytest.mark.database

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
AddStep = Callable[[str], None]


@pytest.fixture
def add_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddStep]:
    """Append a revision `9999` whose upgrade is this Python code."""

    def add(code: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(schema.FOLDER, folder)
        (folder / "versions" / "9999_next.py").write_text(
            f"from alembic import op\nimport sqlalchemy as sa\nrevision, down_revision = '9999', {newest()!r}\n"
            f"def upgrade():\n    {code}\ndef downgrade():\n    pass\n"
        )
        monkeypatch.setattr(schema, "FOLDER", folder)
        db.known.cache_clear()

    yield add
    db.known.cache_clear()


def newest() -> str:
    return sorted(file.name[:4] for file in (schema.FOLDER / "versions").glob("[0-9]*.py"))[-1]


def ask(work: Callable[[sa.Connection], Any]) -> Any:
    return asyncio.run(schema.on_own_connection(work))


def tables() -> list[str]:
    return sorted(ask(lambda connection: sa.inspect(connection).get_table_names()))


def rows(table: str) -> int:
    return int(ask(lambda connection: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()))


def add_person_with_session() -> None:
    every = schema.metadata().tables
    user_id = db.uuid7()
    user = {"id": user_id, "email": "a@b.example", "email_key": "a@b.example", "name": "Ann", "password": "-"}
    times = ("handed_at", "created_at", "last_seen_at", "authenticated_at", "ends_at")
    session = {"id": db.uuid7(), "user_id": user_id, "secret": "s" * 64} | dict.fromkeys(times, NOON)

    def insert(connection: sa.Connection) -> None:
        connection.execute(sa.insert(every["users"]).values(user | {"created_at": NOON}))
        connection.execute(sa.insert(every["sessions"]).values(session))

    ask(insert)


def described(connection: sa.Connection) -> dict[str, Any]:
    """The schema as the database itself tells it, without the names that it gives on its own."""
    inspector, found = sa.inspect(connection), {}
    for table in set(inspector.get_table_names()) - {"alembic_version"}:
        found[table] = {
            "columns": {
                column["name"]: (repr(column["type"]), column["nullable"], _default(column["default"]))
                for column in inspector.get_columns(table)
            },
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(each["column_names"] for each in inspector.get_unique_constraints(table)),
            "checks": sorted((str(each["name"]), each["sqltext"]) for each in inspector.get_check_constraints(table)),
            "indexes": sorted(
                (str(each["name"]), each["column_names"], bool(each["unique"]))
                for each in inspector.get_indexes(table)
                if not each.get("duplicates_constraint")
            ),
            "parents": sorted(
                (str(each["name"]), each["constrained_columns"], each["referred_table"], str(each["options"]))
                for each in inspector.get_foreign_keys(table)
            ),
        }
    return found


def _default(text: str | None) -> str | None:
    return {"true": "1", "false": "0"}.get(text or "", text)  # SQLite has two words for each


def test_migrations_make_what_the_models_declare(url: str) -> None:
    """Autogenerate would see neither CHECKs nor defaults."""
    db.upgrade()
    migrated = ask(described)
    db.downgrade("base")
    ask(schema.metadata().create_all)

    declared = ask(described)

    assert migrated == declared
    assert all(declared["users"][part] for part in ("columns", "key", "unique", "checks"))
    assert declared["sessions"]["indexes"]
    assert "CASCADE" in str(declared["sessions"]["parents"])


def test_upgrade_runs_what_is_pending_once(url: str) -> None:
    before = db.pending()
    db.upgrade()
    first = ask(described)
    db.upgrade()

    assert before[0] == "0001"
    assert before[-1] == newest()
    assert db.pending() == []
    assert ask(described) == first


def test_upgrade_makes_the_folder_of_an_sqlite_file(tmp_path: Path) -> None:
    db.point_at(f"sqlite:///{tmp_path}/new/folder/lanyard.db")

    db.upgrade()

    assert db.pending() == []


def test_downgrade_takes_one_step_back_and_keeps_the_rest(url: str) -> None:
    db.upgrade()
    add_person_with_session()

    db.downgrade("0001")

    assert db.pending()
    assert (rows("users"), rows("sessions")) == (1, 1)


def test_down_to_nothing_and_up_again_with_rows_in_the_tables(url: str) -> None:
    db.upgrade()
    whole = tables()
    add_person_with_session()

    db.downgrade("base")
    nothing = tables()
    db.upgrade()

    assert nothing == ["alembic_version"]
    assert tables() == whole
    assert rows("users") == 0


def test_failing_step_leaves_nothing_of_a_first_upgrade(url: str, add_step: AddStep) -> None:
    add_step("op.create_table('later', sa.Column('id', sa.Integer)); op.execute('SELECT * FROM nowhere')")

    with pytest.raises(sa.exc.DBAPIError, match="nowhere"):
        db.upgrade()

    assert tables() == []


def test_failing_step_leaves_rows_and_schema_as_they_were(url: str, add_step: AddStep) -> None:
    db.upgrade()
    add_person_with_session()
    before = ask(described)
    add_step("op.execute('DELETE FROM sessions'); op.drop_column('users', 'name'); raise LookupError('half-way')")

    with pytest.raises(LookupError, match="half-way"):
        db.upgrade()

    assert ask(described) == before
    assert rows("sessions") == 1
    assert db.pending() == ["9999"]


def test_table_that_is_made_anew_keeps_its_child_rows(url: str, add_step: AddStep) -> None:
    """SQLite alters a table by dropping it, and the drop would cascade."""
    db.upgrade()
    add_person_with_session()
    add_step(
        "with op.batch_alter_table('users', recreate='auto') as users:\n"
        "        users.alter_column('name', type_=sa.String(200), existing_type=sa.String(80))"
    )

    db.upgrade()

    assert (rows("users"), rows("sessions")) == (1, 1)
    kept = ask(described)
    assert kept["users"]["columns"]["name"][0] == "VARCHAR(length=200)"
    assert kept["users"]["checks"]
    assert kept["sessions"]["parents"][0][2] == "users"


def test_step_that_would_orphan_rows_is_refused_on_sqlite(tmp_path: Path, add_step: AddStep) -> None:
    db.point_at(f"sqlite:///{tmp_path / 'own.db'}")
    db.upgrade()
    add_person_with_session()
    add_step("op.execute('DELETE FROM users')")

    with pytest.raises(RuntimeError, match="parents"):
        db.upgrade()

    assert (rows("users"), rows("sessions")) == (1, 1)


def test_the_loggers_of_the_application_survive(url: str) -> None:
    logger, handlers = logging.getLogger("lanyard.survivor"), list(logging.getLogger().handlers)

    db.upgrade()

    assert not logger.disabled
    assert logging.getLogger().handlers == handlers


def test_failing_step_shows_no_value(url: str, add_step: AddStep) -> None:
    add_step("op.get_bind().execute(sa.text('INSERT INTO nowhere VALUES (:hash)').bindparams(hash='$argon2id$secret'))")

    with pytest.raises(sa.exc.DBAPIError, match="nowhere") as caught:
        db.upgrade()

    assert "argon2id" not in str(caught.value)
