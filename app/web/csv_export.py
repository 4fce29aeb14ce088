"""CSV export of a list: written page by page as they are read, and harmless in a spreadsheet.

A spreadsheet takes a cell that begins with = + - @ for a formula, so a name could make it call another site: such a
cell gets an apostrophe, which spreadsheets do not show (OWASP CSV Injection; v5.0.0-1.2.10). Everything is quoted (RFC
4180). The mark at the start tells Excel that this is UTF-8; other programs skip it.
"""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

from lilya.responses import StreamingResponse

from app import db
from app.web import templates
from app.web.paging import Page

CHUNK = 1000  # rows in memory at a time
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # full width counts as well
MARK = "\ufeff"


def cell(value: Any) -> str:
    """One value as a spreadsheet may have it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    text = str(getattr(value, "label", value))
    return f"'{text}" if text.startswith(FORMULA) else text


def file(name: str, columns: tuple[str, ...], page: Callable[[Any], Awaitable[Page]]) -> Any:
    """The response with these columns of every row; `page(last)` is the CHUNK of them behind the row `last`."""
    filename = f"{templates.APP_SLUG}-{name}-{db.utcnow():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return StreamingResponse(_lines(columns, page), media_type="text/csv", headers=headers)


async def _lines(columns: tuple[str, ...], page: Callable[[Any], Awaitable[Page]]) -> AsyncIterator[str]:
    yield MARK + _csv([columns])
    last: Any = None
    while True:
        found = await page(last)
        if found.items:
            yield _csv([cell(getattr(row, column)) for column in columns] for row in found.items)
        if found.next_cursor is None:
            return
        last = found.items[-1]


def _csv(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()
