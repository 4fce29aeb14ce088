"""The demo feature's table: a note belongs to one person."""

from typing import Any

import edgy
import sqlalchemy as sa

from app import db
from app.db import timestamp

f: Any = edgy.fields


class Note(edgy.StrictModel):
    """One person's note. `search_text` is title and body as `db.case_folded` makes them; `status`: see `fields`."""

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    owner_id = f.UUIDField()
    title = f.CharField(max_length=120)
    body = f.TextField(default="")
    search_text = f.TextField(default="")
    status = f.CharField(max_length=20, default="open")
    due_on = f.DateField(null=True)
    created_at = timestamp()
    updated_at = timestamp()

    class Meta:
        registry = db.registry
        tablename = "notes"
        indexes = [edgy.Index(fields=["owner_id", "id"], name="ix_notes_owner_id")]
        constraints = [
            sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_notes_owner_id", ondelete="CASCADE"),
        ]


note_rows: Any = Note.table  # for SQLAlchemy Core
