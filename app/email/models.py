"""The outbox's table: letters that are to go out, and those that did. Written by `outbox.enqueue` and the sender
alone.
"""

from typing import Any

import edgy

from app import db
from app.db import timestamp

f: Any = edgy.fields


class Email(edgy.StrictModel):
    """A letter somebody is owed; what it says is worked out when it is sent, so no link that opens anything is kept.

    `kind` names it (see `auth.letters`), `facts` are small texts that it needs (JSON). `recipient` is an address, or ""
    where the account of `user_id` says it. Exactly one of `sent_at`, `dropped_at` (nobody to write to) and `failed_at`
    (a dead letter) is set in the end; `next_try_at` is then when the row is pruned.
    `subject`, `text` and `html` are filled in development alone, for the mailbox.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    kind = f.CharField(max_length=32)
    recipient = f.CharField(max_length=254, default="")
    user_id = f.UUIDField(null=True)
    facts = f.TextField(default="{}")
    created_at = timestamp()
    next_try_at = timestamp()
    attempts = f.IntegerField(default=0)
    sent_at = timestamp(null=True)
    dropped_at = timestamp(null=True)
    failed_at = timestamp(null=True)
    error = f.CharField(max_length=255, default="")
    subject = f.CharField(max_length=255, default="")
    text = f.TextField(default="")
    html = f.TextField(default="")

    class Meta:
        registry = db.registry
        tablename = "letters"
        indexes = [
            edgy.Index(fields=["next_try_at"], name="ix_letters_next_try_at"),
            edgy.Index(fields=["failed_at", "id"], name="ix_letters_dead"),
            edgy.Index(fields=["sent_at", "dropped_at", "failed_at", "next_try_at"], name="ix_letters_owed"),
        ]


email_rows: Any = Email.table  # for SQLAlchemy Core
