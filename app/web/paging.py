"""Pagination: a page of a list, the cursors where its neighbours begin, and how an address asks for one."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.web.filters import Cursor, one_of

PAGE = 50
SIZES = ("25", "50", "100")  # of a page, as an address names them
COUNTED = 10_000  # exactly so far; what is more is "more than that"


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the id of the last one if there are more: what the next page begins behind.

    `previous_cursor`: the id of the first one if some come before it. `total`: of all pages, COUNTED + 1 for more than
    COUNTED; None where it was not counted.
    """

    items: list[Any]
    next_cursor: str | None
    previous_cursor: str | None = None
    total: int | None = None

    @classmethod
    def of(cls, rows: list[Any], limit: int, *, behind: bool = False, total: int | None = None) -> "Page":
        """Out of one row more than the page has, if there are that many. `behind`: it does not begin the list."""
        items, more = rows[:limit], len(rows) > limit
        return cls(items, str(items[-1].id) if more else None, str(items[0].id) if behind and items else None, total)

    @classmethod
    def before(cls, rows: list[Any], limit: int, *, total: int | None = None) -> "Page":
        """Out of rows that were read from its end to its beginning, and one more if there are that many."""
        items, more = rows[:limit][::-1], len(rows) > limit
        return cls(items, str(items[-1].id) if items else None, str(items[0].id) if more else None, total)


class Place(BaseModel):
    """Which page of a list. `before`: the id of the row that it ends in front of. `start`: number of its first row."""

    before: Cursor = None
    start: Annotated[int, Field(ge=1, le=10**9)] = 1
    size: Annotated[str, one_of(*SIZES)] = str(PAGE)

    @property
    def limit(self) -> int:
        return int(self.size)


def links(page: Page, place: Place, *, moved: bool) -> dict[str, Any]:
    """What the template `_lists.html` shows of a page: its numbers, and the query of each neighbour.

    `moved`: the address named a place in the list. The number of the first row is handed on from page to page: to count
    the rows before it would take as long as reading them.
    """
    size = {} if place.size == str(PAGE) else {"size": place.size}
    start = place.start if moved and page.previous_cursor else 1
    back, on = {"before": page.previous_cursor, "start": max(start - place.limit, 1)}, {"cursor": page.next_cursor}
    return {
        "first": start if page.items else 0,
        "last": start + len(page.items) - 1 if page.items else 0,
        "total": page.total,
        "most": COUNTED,
        "size": place.size,
        "sizes": SIZES,
        "kept": size,
        "previous": size | back if page.previous_cursor else None,
        "next": size | on | {"start": start + len(page.items)} if page.next_cursor else None,
    }
