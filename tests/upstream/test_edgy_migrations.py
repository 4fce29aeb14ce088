"""Edgy's migrations with the env.py that `edgy init` writes: the reasons for app/migrations/env.py.

Run as a program, this file tries it and prints what it saw; the tests read that. A test that fails says that a release
has mended one: then the part of app/migrations/env.py that it names goes, and the test with it.
"""

import json
import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import edgy
import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.upstream

HEAD = "from alembic import op\nimport sqlalchemy as sa\nrevision, down_revision = {!r}, {!r}\n"
PARENTS = """
def upgrade(engine_name=""):
    op.create_table("parent", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(5)))
    op.create_table(
        "child",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id", ondelete="CASCADE")),
    )
    op.execute("INSERT INTO parent VALUES (1, 'Ann')")
    op.execute("INSERT INTO child VALUES (1, 1)")
"""
REBUILD = """
def upgrade(engine_name=""):
    with op.batch_alter_table("parent", recreate="always") as parent:
        parent.alter_column("name", type_=sa.String(50))
"""
FAILING = """
def upgrade(engine_name=""):
    op.create_table("half", sa.Column("id", sa.Integer))
    op.execute("SELECT * FROM nowhere")
"""


class WithForeignKeys(edgy.Database):
    """Stock but for one thing that every application wants: without it the rows would not even be looked after."""

    async def connect(self) -> bool:
        connected = await super().connect()
        engine: Any = self.engine
        sa.event.listen(engine.sync_engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys=ON"))
        return connected


def observe(folder: Path) -> dict[str, bool]:
    from edgy.cli import base

    file, versions = folder / "own.db", folder / "migrations" / "versions"
    registry = edgy.Registry(database=WithForeignKeys(f"sqlite+aiosqlite:///{file}"))
    edgy.monkay.set_instance(edgy.Instance(registry=registry))
    logger = logging.getLogger("some.application")
    with edgy.monkay.with_settings(edgy.EdgySettings(migration_directory=folder / "migrations")):
        base.init()
        (versions / "1.py").write_text(HEAD.format("1", None) + PARENTS)
        base.upgrade()
        children = ask(file, "SELECT * FROM child")
        (versions / "2.py").write_text(HEAD.format("2", "1") + REBUILD)
        base.upgrade()
        children_left = ask(file, "SELECT * FROM child")
        (versions / "3.py").write_text(HEAD.format("3", "2") + FAILING)
        try:
            base.upgrade()
        except sa.exc.OperationalError:
            half = ask(file, "SELECT * FROM sqlite_master WHERE name = 'half'")
    return {
        "table_that_is_rebuilt_takes_its_child_rows_along": bool(children) and not children_left,
        "failing_migration_leaves_what_it_did_so_far": bool(half),
        "loggers_of_the_application_are_switched_off": logger.disabled,
    }


def ask(file: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    folder = tmp_path_factory.mktemp("stock")
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], capture_output=True, text=True, timeout=60, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_table_that_is_rebuilt_takes_its_child_rows_along(seen: dict[str, bool]) -> None:
    assert seen["table_that_is_rebuilt_takes_its_child_rows_along"], "mended upstream: `PRAGMA foreign_keys=OFF`"


def test_a_failing_migration_leaves_what_it_did_so_far(seen: dict[str, bool]) -> None:
    assert seen["failing_migration_leaves_what_it_did_so_far"], "mended upstream: `BEGIN IMMEDIATE` and ROLLBACK"


def test_the_loggers_of_the_application_are_switched_off(seen: dict[str, bool]) -> None:
    assert seen["loggers_of_the_application_are_switched_off"], "mended upstream: that there is no ini file"


if __name__ == "__main__":
    print(json.dumps(observe(Path(sys.argv[1]))))
