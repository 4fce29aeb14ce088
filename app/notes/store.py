"""Notes in the database. Every function takes the owner: there is no way to reach another person's note.

Chapter: "Permissions". Pattern: protected. Source: v5.0.0-8.2.2 (objects need explicit permission).
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.notes.models import note_rows

PAGE = 20


@dataclass(frozen=True, slots=True)
class Page:
    """Some notes, newest first, and the id to go on after (None: there are no more)."""

    items: list[Any]
    next_cursor: str | None


async def listing(owner_id: UUID, *, search: str = "", after: UUID | None = None, limit: int = PAGE) -> Page:
    """Notes that contain the search text in title or body, case ignored; `after` is the last id of the page before."""
    query = (
        sa.select(note_rows).where(note_rows.c.owner_id == owner_id).order_by(note_rows.c.id.desc()).limit(limit + 1)
    )
    if search:
        query = query.where(note_rows.c.search_text.contains(db.case_folded(search), autoescape=True))
    if after:
        query = query.where(note_rows.c.id < after)
    rows = await db.fetch_all(query)
    return Page(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None)


async def get(owner_id: UUID, note_id: UUID) -> Any:
    """The note, or None: missing and another person's are the same."""
    return await db.fetch_one(sa.select(note_rows).where(*_own(owner_id, note_id)))


async def create(owner_id: UUID, title: str, body: str) -> Any:
    now = db.utcnow()
    values = {"id": db.uuid7(), "owner_id": owner_id, "created_at": now, "updated_at": now, **_text(title, body)}
    return await db.fetch_one(sa.insert(note_rows).values(values).returning(*note_rows.c))


async def change(owner_id: UUID, note_id: UUID, *, title: str | None = None, body: str | None = None) -> Any:
    """The note with what is given replaced; None when there is no such note."""
    async with db.transaction() as tx:
        before = await tx.fetch_one(sa.select(note_rows).where(*_own(owner_id, note_id)).with_for_update())
        if before is None:
            return None
        text = _text(before.title if title is None else title, before.body if body is None else body)
        values = {"updated_at": db.utcnow(), **text}
        return await tx.fetch_one(
            sa.update(note_rows).where(*_own(owner_id, note_id)).values(values).returning(*note_rows.c)
        )


async def delete(owner_id: UUID, note_id: UUID) -> bool:
    return await db.execute(sa.delete(note_rows).where(*_own(owner_id, note_id))) == 1


def _own(owner_id: UUID, note_id: UUID) -> tuple[Any, Any]:
    return note_rows.c.id == note_id, note_rows.c.owner_id == owner_id


def _text(title: str, body: str) -> dict[str, str]:
    return {"title": title, "body": body, "search_text": db.case_folded(f"{title}\n{body}")}
