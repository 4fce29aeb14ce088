"""How Alembic runs here: one transaction for all that is missing, and one process at a time.

PostgreSQL: READ COMMITTED behind an advisory lock that ends with the transaction, so that no pooler is in the way.
SQLite: BEGIN IMMEDIATE with foreign keys off, because a table that is rebuilt is dropped, and the drop would delete its
child rows; they are checked before the commit.
"""

import asyncio

from alembic import context
from sqlalchemy.engine import Connection

from app.db import schema

UNBOUNDED = ("statement_timeout", "idle_in_transaction_session_timeout")  # the role may have them (deploy/roles.sql)
LOCK = 0x6C616E79617264  # any number, the same in every process


def run(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        on_sqlite(connection)
    else:
        on_postgresql(connection)


def on_postgresql(connection: Connection) -> None:
    connection.execution_options(isolation_level="READ COMMITTED")
    with connection.begin():
        for name in UNBOUNDED:
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        migrate(connection)


def on_sqlite(connection: Connection) -> None:
    execute = connection.exec_driver_sql
    execute("PRAGMA busy_timeout=60000")  # milliseconds, for those who wait while another process migrates
    execute("PRAGMA foreign_keys=OFF")
    execute("BEGIN IMMEDIATE")
    try:
        migrate(connection)
        if broken := execute("PRAGMA foreign_key_check").fetchall():
            raise RuntimeError(f"the migration leaves rows without their parents: {broken[:5]}")
        execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=schema.metadata(), transactional_ddl=True)
    context.run_migrations()


asyncio.run(schema.on_own_connection(run))
