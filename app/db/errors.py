"""Database errors: `Unavailable` covers all temporary failures; the error boundary answers it with 503.

`Stopped` is for migrations.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

# Temporary errors of SQLite, by the start of their names (SQLITE_ERROR is none: a faulty statement) ...
SQLITE_NOT_NOW = ("BUSY", "LOCKED", "READONLY", "FULL", "IOERR", "CANTOPEN", "NOMEM", "PROTOCOL")
# ... and of PostgreSQL, by the start of the SQLSTATE: connection, authorization, catalog, resources, operator, system;
# then read-only, lock and idle time-outs, serialization failure and deadlock.
POSTGRESQL_NOT_NOW = ("08", "28", "3D", "53", "57", "58", "25006", "55P03", "25P03", "25P04", "40001", "40P01")

POOLER = "08P01"  # PgBouncer's SQLSTATE for every refusal; only the message tells the reason


class Unavailable(Exception):
    """The database does not answer right now: try later. `str()`: the reason, without statement or values."""


class Stopped(Exception):
    """A migration found rows that an operator has to decide about, and changed nothing. `str()`: which, in one line."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate temporary errors of driver and database into Unavailable; other exceptions pass."""
    try:
        yield
    except (exc.TimeoutError, TimeoutError, OSError) as error:
        raise Unavailable(getattr(error, "verify_message", "") or type(error).__name__) from error
    except Exception as error:
        if reason := _not_now(error):
            raise Unavailable(reason) from error
        raise


def _not_now(error: Exception) -> str | None:
    """The database's name for a temporary error; None for any other error."""
    lost = isinstance(error, exc.DBAPIError) and (error.connection_invalidated or is_stale(error))
    origin = (
        error.orig if isinstance(error, exc.DBAPIError) else error
    )  # while connecting, SQLAlchemy does not wrap asyncpg's errors
    if isinstance(origin, sqlite3.Error):
        name = getattr(origin, "sqlite_errorname", "")
        found = name.removeprefix("SQLITE_").startswith(SQLITE_NOT_NOW)
    else:
        name = getattr(origin, "sqlstate", None) or ""
        found = name.startswith(POSTGRESQL_NOT_NOW)
        if name == POOLER and origin is error:
            name += f" ({error})"  # while connecting: the message names parameter, user or database
    return name or "connection lost" if found or lost else None


def is_stale(error: exc.DBAPIError) -> bool:
    """Whether PostgreSQL refused a prepared statement because a column changed. The statement had no effect."""
    return type(error.orig).__name__ == "InvalidCachedStatementError"
