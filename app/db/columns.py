"""Column types: aware UTC timestamps on both databases, UUIDv7 keys, and the database's own clock."""

import secrets
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import edgy
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from app import unicode

_DateTimeField: Any = edgy.fields.DateTimeField
_CharField: Any = edgy.fields.CharField

MAX_CASE_FOLDED = 65_536  # code points; form fields limit their input to less


class AwareUTC(sa.types.TypeDecorator[datetime]):
    """TIMESTAMP WITH TIME ZONE, aware UTC in both directions; without it, SQLite returns naive datetimes."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime is ambiguous: give it a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class now(sa.sql.functions.GenericFunction[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock, which all workers share, in milliseconds on SQLite."""

    type = AwareUTC()
    inherit_cache = True
    name = "database_now"


@compiles(now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **_: Any) -> str:
    # Padded to the length of a column's values, because SQLite compares times as text.
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"


@compiles(now)
def _now(element: Any, compiler: Any, **_: Any) -> str:
    return "clock_timestamp()"


class _TimestampField(_DateTimeField):
    @classmethod
    def get_column_type(cls, kwargs: dict[str, Any]) -> Any:
        return AwareUTC()


def timestamp(**options: Any) -> Any:
    """A model field for a timestamp. Accepts only aware datetimes."""
    return _TimestampField(**options)


class _PlainTextField(_CharField):
    @classmethod
    def get_column_type(cls, kwargs: dict[str, Any]) -> Any:
        length = kwargs["max_length"]
        return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def plain_text(**options: Any) -> Any:
    """A model field for text that PostgreSQL compares byte by byte (collation "C"), as SQLite does.

    So an index can find the values that start with a text.
    """
    return _PlainTextField(**options)


class unindexed(sa.sql.functions.ReturnTypeFromArgs[Any]):  # noqa: N801 - reads as a function of SQL
    """The same value, to keep SQLite's planner from using the column's index; no index matches the expression.

    PostgreSQL sees the column itself: its planner counts rows, and is blind to what an expression holds.
    """

    inherit_cache = True


@compiles(unindexed, "sqlite")
def _sqlite_unindexed(element: Any, compiler: Any, **options: Any) -> str:
    return f"coalesce({compiler.process(element.clauses, **options)}, NULL)"


@compiles(unindexed)
def _unindexed(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


def case_folded(text: str) -> str:
    """The form of text for searching: NFKC, case-folded. Stored in its own column: SQLite's LIKE folds only ASCII.

    Errors: ValueError for more than MAX_CASE_FOLDED code points.
    """
    normal = unicode.normalised("NFKC", text, MAX_CASE_FOLDED)
    if normal is None:
        raise ValueError(f"text to search has at most {MAX_CASE_FOLDED} characters: bound its field")
    return normal.casefold()


def uuid7() -> UUID:
    """A key that sorts by creation time, to 0.25 microseconds (RFC 9562 section 5.7; 6.2 method 3). Not secret."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62))
