"""Data export of a table: the rows that belong to one person, read page by page."""

from collections.abc import AsyncIterator, Mapping, Set
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db

PAGE = 200  # rows in memory at a time


@dataclass(frozen=True, slots=True)
class OwnedRows:
    """The rows of `table` whose `owner` column names the person, by id, without the columns `left_out`."""

    table: Any
    owner: Any
    left_out: Set[str]

    async def __call__(self, user_id: UUID) -> AsyncIterator[Mapping[str, Any]]:
        columns = [column for column in self.table.c if column.name not in self.left_out]
        query = sa.select(*columns).where(self.owner == user_id).order_by(self.table.c.id).limit(PAGE)
        found = await db.fetch_all(query)
        while found:
            for row in found:
                yield row._mapping
            found = await db.fetch_all(query.where(self.table.c.id > found[-1].id)) if len(found) == PAGE else []
