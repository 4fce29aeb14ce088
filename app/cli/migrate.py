"""The command `migrate`: run the pending migrations, or go back to an earlier one."""

import sys

from app import db
from app.settings import get_settings


def migrate(to: str, yes_really: bool) -> int:
    """`to`: a revision such as "0018"; "" for the newest, "-1" for the one before. Returns the exit code."""
    try:
        if to == "-1":
            to = next(iter(_applied()[1:]), to)
        if to and to not in db.known():
            return _refuse(f"there is no migration {to}; the newest is {db.known()[0]}", 2)
        return _back(to, yes_really) if to and to not in db.pending() else _forward(to or "head")
    except db.Stopped as error:
        return _refuse(str(error))
    except (db.Unavailable, OSError) as error:
        return _refuse(f"the database that DATABASE_URL names does not answer: {error}")


def _applied() -> list[str]:
    """Newest first."""
    pending = db.pending()
    return [revision for revision in db.known() if revision not in pending]


def _forward(to: str) -> int:
    pending = db.pending()
    db.upgrade(to)
    ran = len(pending) - len(db.pending())
    print(f"The database is up to date ({ran} new)." if ran else "The database is up to date.")
    return 0


def _back(to: str, yes_really: bool) -> int:
    """Tables and columns that newer migrations added go, with what is in them."""
    if not get_settings().is_development and not yes_really:
        return _refuse("going back deletes what newer migrations have added: back up first, then use --yes-really")
    db.downgrade(to)
    print(f"The database is at migration {to} again.")
    return 0


def _refuse(reason: str, code: int = 1) -> int:
    print(f"lanyard: {reason}", file=sys.stderr)
    return code
