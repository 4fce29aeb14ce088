"""`python -m app migration` and `migrate --to`: what the models declare, and the way back."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import db
from app.__main__ import main
from app.cli import migration
from app.db import schema
from app.settings import get_settings
from tests.db.test_migrations import AddStep, add_person_with_session, add_step, ask, described, newest, rows, tables

pytestmark = pytest.mark.database

__all__ = ["add_step"]  # a fixture

AWAY = """op.drop_table('recovery_codes')
    op.drop_column('sessions', 'device_key')
    op.add_column('sessions', sa.Column('device', sa.Text()))
    for name, kind in (('seen', sa.DateTime(timezone=True)), ('key', sa.Uuid()), ('facts', sa.JSON())):
        op.add_column('sessions', sa.Column(name, kind))
    with op.batch_alter_table('users') as users:
        users.alter_column('name', type_=sa.String(200), existing_type=sa.String(80))
        users.alter_column('last_login', nullable=False, existing_type=sa.DateTime(timezone=True))"""


@pytest.fixture
def written(url: str, add_step: AddStep, capsys: pytest.CaptureFixture[str]) -> str:
    """The migration that leads from a schema of `AWAY` to the models, and what the command said of it."""
    add_step(AWAY)
    assert main(["migration", "bring it back"]) == 0
    db.known.cache_clear()
    return capsys.readouterr().out


def file() -> Path:
    (path,) = (schema.FOLDER / "versions").glob("*_bring_it_back.py")
    return path


def test_written_migration_makes_what_the_models_declare_and_the_way_back(url: str, written: str) -> None:
    before, made = newest(), file().name.partition("_")[0]
    ask(schema.metadata().create_all)
    declared = ask(described)
    ask(schema.metadata().drop_all)
    db.upgrade("0018")
    add_person_with_session()
    ask(lambda c: c.execute(sa.text("UPDATE users SET last_login = '2026-07-01 12:00:00+00:00'")))
    db.upgrade("9999")
    away = ask(described)

    db.upgrade()
    forward = ask(described)
    db.downgrade("9999")
    back = ask(described)

    assert (before, made) == ("9999", "10000")
    assert forward == declared
    assert back == away != forward
    assert (rows("users"), rows("sessions")) == (1, 1)


def test_it_names_each_step_and_what_no_comparison_knows(written: str) -> None:
    assert "  create table recovery_codes\n" in written
    assert "  add column sessions.device_key\n" in written
    assert "if sessions.device is now called device_key" in written
    assert 'op.alter_column("sessions", "device", new_column_name="device_key")' in written
    assert "a changed type has to fit" in written


def test_column_without_a_value_for_stored_rows_and_a_renamed_table_are_named(url: str, add_step: AddStep) -> None:
    add_step("op.drop_column('sessions', 'ip'); op.drop_column('sessions', 'secret'); op.rename_table('changes', 'x')")

    said = list(migration.warnings(migration.compared()))

    assert [line for line in said if line.startswith("sessions.secret has no value for rows that are there")]
    assert [line for line in said if "if x is now called changes, write op.rename_table" in line]
    assert not [line for line in said if line.startswith("sessions.ip")]  # it has a default


def test_written_migration_imports_nothing_of_the_application(written: str) -> None:
    text = file().read_text()
    spec = spec_from_file_location("written", file())
    assert spec
    assert spec.loader
    spec.loader.exec_module(module := module_from_spec(spec))

    assert (module.revision, module.down_revision) == ("10000", "9999")
    assert module.__doc__ == "Bring it back\n\nRevision: 10000, after 9999.\n"
    assert "app." not in text
    assert "###" not in text


def test_dry_run_writes_nothing(url: str, add_step: AddStep, capsys: pytest.CaptureFixture[str]) -> None:
    add_step("op.drop_table('recovery_codes')")

    code = main(["migration", "bring it back", "--dry-run"])

    assert (code, "create table recovery_codes" in capsys.readouterr().out) == (0, True)
    assert not list((schema.FOLDER / "versions").glob("*_bring_it_back.py"))


def test_nothing_to_write_is_one_line_and_no_file(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted((schema.FOLDER / "versions").iterdir())

    code = main(["migration", "nothing new"])

    assert code == 1
    assert capsys.readouterr().err == (
        "migration: the models declare what the migrations make already: nothing to write\n"
    )
    assert sorted((schema.FOLDER / "versions").iterdir()) == before


@pytest.mark.parametrize("message", ["", "x", "../..", "1 table", "a" * 61])
def test_message_that_makes_no_file_name_is_refused(message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migration", message]) == 2
    assert "a few words" in capsys.readouterr().err


def test_migrate_goes_back_and_forward_again(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    db.upgrade()
    whole = tables()
    add_person_with_session()

    codes = main(["migrate", "--to", "0001"]), main(["migrate", "--to", "0003"])

    assert codes == (0, 0)
    assert capsys.readouterr().out == (
        "The database is at migration 0001 again.\nThe database is up to date (2 new).\n"
    )
    assert "throttle_counters" in tables()
    assert main(["migrate"]) == 0
    assert tables() == whole
    assert (rows("users"), rows("sessions")) == (1, 1)


def test_way_back_is_asked_for_twice_in_production(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    db.upgrade()
    monkeypatch.setattr(get_settings(), "env", "production")

    refused, before = main(["migrate", "--to", "0001"]), db.pending()

    assert (refused, before) == (1, [])
    assert "--yes-really" in capsys.readouterr().err
    assert main(["migrate", "--to", "0001", "--yes-really"]) == 0
    assert "0002" in db.pending()


def test_migration_that_there_is_not_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--to", "7777"]) == 2
    assert "there is no migration 7777" in capsys.readouterr().err
