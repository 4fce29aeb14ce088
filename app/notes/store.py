"""Notes in the database. Every function takes the owner: there is no way to reach another person's note.

The one exception counts notes for an administrator, and reads none.
Chapter: "Permissions". Pattern: protected. Source: v5.0.0-8.2.2 (objects need explicit permission).
"""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator

from app import db
from app.notes.fields import STATUSES
from app.notes.models import note_rows
from app.web.filters import Cursor, one_of
from app.web.paging import Page

PAGE = 20


class NoteFilters(BaseModel):
    """What a list is chosen by. `q`: text in title or body, case ignored. "" stands for all."""

    q: Annotated[str, BeforeValidator(lambda text: text.strip()[:200])] = ""
    status: Annotated[str, one_of(*STATUSES)] = ""
    cursor: Cursor = None


async def listing(owner_id: UUID, filters: NoteFilters, limit: int = PAGE) -> Page:
    """A page of notes, newest first. One query."""
    note = note_rows.c
    query = sa.select(note_rows).where(note.owner_id == owner_id).order_by(note.id.desc()).limit(limit + 1)
    if filters.q:
        query = query.where(note.search_text.contains(db.case_folded(filters.q), autoescape=True))
    if filters.status:
        query = query.where(note.status == filters.status)
    if filters.cursor:
        query = query.where(note.id < filters.cursor)
    return Page.of(await db.fetch_all(query), limit)


async def get(owner_id: UUID, note_id: UUID) -> Any:
    """The note, or None: missing and another person's are the same."""
    return await db.fetch_one(sa.select(note_rows).where(*_own(owner_id, note_id)))


async def create(owner_id: UUID, title: str, body: str, status: str = "open", due_on: date | None = None) -> Any:
    now = db.utcnow()
    values = {"id": db.uuid7(), "owner_id": owner_id, "created_at": now, "updated_at": now}
    values |= {"title": title, "body": body, "status": status, "due_on": due_on}
    return await db.fetch_one(sa.insert(note_rows).values(_searchable(values)).returning(*note_rows.c))


async def change(owner_id: UUID, note_id: UUID, **fields: Any) -> Any:
    """The note with these fields (title, body, status, due_on) replaced; None when there is no such note."""
    async with db.transaction() as tx:
        before = await tx.fetch_one(sa.select(note_rows).where(*_own(owner_id, note_id)).with_for_update())
        if before is None:
            return None
        values = {"title": before.title, "body": before.body, **fields, "updated_at": db.utcnow()}
        change = sa.update(note_rows).where(*_own(owner_id, note_id)).values(_searchable(values))
        return await tx.fetch_one(change.returning(*note_rows.c))


async def delete(owner_id: UUID, note_id: UUID) -> bool:
    return await db.execute(sa.delete(note_rows).where(*_own(owner_id, note_id))) == 1


async def count_by_status() -> dict[str, int]:
    """Status -> how many notes of all people have it. Reads every row once."""
    counted = sa.select(note_rows.c.status, sa.func.count().label("count")).group_by(note_rows.c.status)
    return dict.fromkeys(STATUSES, 0) | {row.status: row.count for row in await db.fetch_all(counted)}


def _own(owner_id: UUID, note_id: UUID) -> tuple[Any, Any]:
    return note_rows.c.id == note_id, note_rows.c.owner_id == owner_id


def _searchable(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "search_text": db.case_folded(f"{values['title']}\n{values['body']}")}
