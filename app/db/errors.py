"""The database's failures in one word: `Unavailable`. The error boundary answers 503 and knows no SQLAlchemy.

`Stopped` is for migrations alone.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

# What says "not now" rather than "not so": the start of SQLite's error names (SQLITE_ERROR is a faulty statement) ...
SQLITE_NOT_NOW = ("BUSY", "LOCKED", "READONLY", "FULL", "IOERR", "CANTOPEN", "NOMEM", "PROTOCOL")
# ... and of PostgreSQL's SQLSTATEs: connection, who may connect, to what, resources, operator, system; then read-only,
# lock and idle time-outs, serialization failure and deadlock.
POSTGRESQL_NOT_NOW = ("08", "28", "3D", "53", "57", "58", "25006", "55P03", "25P03", "25P04", "40001", "40P01")

POOLER = "08P01"  # with this PgBouncer refuses whatever it refuses; which it was stands in its words alone


class Unavailable(Exception):
    """The database cannot be asked right now: try later. `str()` tells the log why, never a statement or a value."""


class Stopped(Exception):
    """A migration met rows that a person has to decide about, and changed nothing. `str()` says which, in one line."""


@contextmanager
def available() -> Iterator[None]:
    """Turn what means "not now" into Unavailable; let everything else pass."""
    try:
        yield
    except (exc.TimeoutError, TimeoutError, OSError) as error:
        raise Unavailable(getattr(error, "verify_message", "") or type(error).__name__) from error
    except Exception as error:
        if reason := _not_now(error):
            raise Unavailable(reason) from error
        raise


def _not_now(error: Exception) -> str | None:
    """The database's own name for it, if it says "not now"."""
    lost = isinstance(error, exc.DBAPIError) and (error.connection_invalidated or is_stale(error))
    origin = error.orig if isinstance(error, exc.DBAPIError) else error  # while connecting, asyncpg's own errors pass
    if isinstance(origin, sqlite3.Error):
        name = getattr(origin, "sqlite_errorname", "")
        found = name.removeprefix("SQLITE_").startswith(SQLITE_NOT_NOW)
    else:
        name = getattr(origin, "sqlstate", None) or ""
        found = name.startswith(POSTGRESQL_NOT_NOW)
        if name == POOLER and origin is error:
            name += f" ({error})"  # while connecting: it names parameter, user or database
    return name or "connection lost" if found or lost else None


def is_stale(error: exc.DBAPIError) -> bool:
    """Whether PostgreSQL refused a prepared statement because a column has changed since. Nothing was done."""
    return type(error.orig).__name__ == "InvalidCachedStatementError"
