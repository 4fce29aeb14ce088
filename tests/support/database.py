"""A fresh, migrated database for a test: SQLite, or PostgreSQL with TEST_DATABASE=postgresql."""

import os
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from app import db
from tests.support import postgres
from tests.support.environment import TEMPLATE

POSTGRESQL = os.environ.get("TEST_DATABASE") == "postgresql"


def fresh(folder: Path) -> str:
    """A database of one's own, with all migrations; an SQLite file lies in `folder`. Returns its URL."""
    return postgres.fresh() if POSTGRESQL else copy_to(folder / "lanyard.db")


def of_this_test(folder: Path) -> str:
    """As `fresh`, for one test at a time: on PostgreSQL the same database, emptied, which is ten times as fast."""
    return postgres.emptied() if POSTGRESQL else fresh(folder)


def copy_to(path: Path) -> str:
    """An SQLite database at `path`: one file is migrated, the others are copies of it. Returns its URL."""
    shutil.copyfile(_template(), path)
    return f"sqlite+aiosqlite:///{path}"


@cache
def _template() -> Path:
    before = db.url()
    db.point_at(f"sqlite+aiosqlite:///{TEMPLATE}")
    db.upgrade()
    db.point_at(before)
    with closing(sqlite3.connect(TEMPLATE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return TEMPLATE
