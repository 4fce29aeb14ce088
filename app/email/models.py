"""The table of the e-mail outbox: queued, sent and failed e-mails. Written by `outbox` alone."""

from typing import Any

import edgy

from app import db
from app.db import timestamp

f: Any = edgy.fields


class Email(edgy.StrictModel):
    """A queued e-mail. Its text is composed when it is sent, so no usable link is stored.

    `kind` selects the composer (see `accounts.emails`), `facts` are short texts that it needs (JSON). `recipient` is an
    address, or "" for the address of the account `user_id`. In the end exactly one of `sent_at`, `dropped_at` (no
    recipient) and `failed_at` (permanently failed) is set; `next_try_at` is then when the row is pruned.
    `subject`, `text` and `html` are stored in development only, for the mailbox page.
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
