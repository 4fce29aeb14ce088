"""Pagination: a page of a list, and the cursor where the next one begins."""

from dataclasses import dataclass
from typing import Any

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the id of the last one if there are more: what the next page begins behind."""

    items: list[Any]
    next_cursor: str | None

    @classmethod
    def of(cls, rows: list[Any], limit: int) -> "Page":
        """Out of one row more than the page has, if there are that many."""
        return cls(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None)
