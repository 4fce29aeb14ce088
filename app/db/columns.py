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

MAX_CASE_FOLDED = 65_536  # code points; what may be searched is bounded before, by the field that it was typed in


class AwareUTC(sa.types.TypeDecorator[datetime]):
    """TIMESTAMP WITH TIME ZONE that is aware UTC in both directions; SQLite alone would hand out naive ones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime says nothing: give it a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class now(sa.sql.functions.GenericFunction[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock, milliseconds on SQLite: what workers whose clocks differ agree on."""

    type = AwareUTC()
    inherit_cache = True
    name = "database_now"


@compiles(now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **_: Any) -> str:
    # As long as the values of a column, for SQLite compares times as text.
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"


@compiles(now)
def _now(element: Any, compiler: Any, **_: Any) -> str:
    return "clock_timestamp()"


class _TimestampField(_DateTimeField):
    @classmethod
    def get_column_type(cls, kwargs: dict[str, Any]) -> Any:
        return AwareUTC()


def timestamp(**options: Any) -> Any:
    """A model's field for an instant. Takes aware datetimes alone."""
    return _TimestampField(**options)


class _PlainTextField(_CharField):
    @classmethod
    def get_column_type(cls, kwargs: dict[str, Any]) -> Any:
        length = kwargs["max_length"]
        return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def plain_text(**options: Any) -> Any:
    """A model's field for text compared byte by byte, whatever the language of the database.

    "Begins with" is then a range of its index. SQLite compares so in any case.
    """
    return _PlainTextField(**options)


def aside(column: Any) -> Any:
    """The same value, but no index fits it: for a condition that must not lead."""
    return sa.func.coalesce(column, sa.null())


def case_folded(text: str) -> str:
    """How text is compared when searching; kept in a column of its own, because SQLite's LIKE folds ASCII alone.

    Errors: ValueError for more than LONGEST_FOLDED code points.
    """
    normal = unicode.normalised("NFKC", text, MAX_CASE_FOLDED)
    if normal is None:
        raise ValueError(f"text to search has at most {MAX_CASE_FOLDED} characters: bound its field")
    return normal.casefold()


def uuid7() -> UUID:
    """A key that sorts by time, to a quarter of a microsecond: RFC 9562 section 5.7, and 6.2 method 3. No secret."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62))
