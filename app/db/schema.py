"""Migrations: upgrade, downgrade, and the list of pending ones. Alembic on Edgy's metadata, atomic on both databases.

Edgy's own runner is not atomic, and on SQLite, rebuilding a table deletes its child rows (ON DELETE CASCADE);
`app/migrations/env.py` avoids that.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.db.errors import Stopped
from app.settings import ROOT

FOLDER = ROOT / "app" / "migrations"


def upgrade(revision: str = "head") -> None:
    """Run the pending migrations. Several processes may call it at once: one migrates, the others wait.

    Does nothing on a database that newer code has migrated. Errors: Stopped.
    """
    from alembic import command  # imported late: a running server never needs it
    from alembic.util import CommandError

    if revision == "head" and _ahead(_current()):
        return
    try:
        _apart(command.upgrade, config(), revision)
    except CommandError as error:
        raise Stopped(str(error)) from error


def downgrade(revision: str) -> None:
    """Downgrade to that revision; "base" is the empty database."""
    from alembic import command

    _apart(command.downgrade, config(), revision)


def pending() -> list[str]:
    """The revisions that have not run yet, oldest first; none on a database that newer code has migrated.

    During an upgrade, the old version must be able to start again (see `db.needs_migration`).
    """
    from alembic.script import ScriptDirectory

    current = _current()
    if _ahead(current):
        return []
    missing = ScriptDirectory.from_config(config()).iterate_revisions("heads", current or "base")
    return [script.revision for script in missing if script.revision not in current][::-1]


@cache
def known() -> list[str]:
    """The revisions in this code, newest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()]


def config() -> Any:
    """Alembic's configuration; there is no ini file."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return made


def metadata() -> sa.MetaData:
    """The tables of all features: imports each `app/*/models.py`."""
    from app import db

    for file in sorted((ROOT / "app").glob("*/models.py")):
        import_module(f"app.{file.parent.name}.models")
    return {model.table.metadata for model in db.registry.models.values()}.pop()


async def on_own_connection(work: Callable[[sa.Connection], Any]) -> Any:
    """Run `work(connection)` in autocommit, outside the pool. Creates the directory of an SQLite file."""
    from app import db

    address = db.database.address
    if address.get_backend_name() == "sqlite":
        Path(address.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        address,
        connect_args=db.database.connect_args,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
    )
    db.database.watch(engine.sync_engine, bounded=False)
    try:
        with db.translate_errors():
            async with engine.connect() as connection:
                return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _current() -> tuple[str, ...]:
    from alembic.runtime.migration import MigrationContext

    def heads(connection: sa.Connection) -> tuple[str, ...]:
        return MigrationContext.configure(connection).get_current_heads()

    found: tuple[str, ...] = _apart(asyncio.run, on_own_connection(heads))
    return found


def _ahead(current: tuple[str, ...]) -> bool:
    return not set(current) <= set(known())


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run `work` in another thread: Alembic starts an event loop, and the caller may have one running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, work, *arguments).result()
