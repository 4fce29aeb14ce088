"""The table of the audit log. `events.record` alone writes rows, and nothing changes them."""

from typing import Any

import edgy

from app import db
from app.db import timestamp

f: Any = edgy.fields


class AuditEvent(edgy.StrictModel):
    """Something that happened to an account.

    `user_id` is the account, `actor_id` who did it (None: not signed in). Neither is a foreign key: the audit log
    outlives the account.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    at = timestamp()
    event = f.CharField(max_length=32)
    user_id = f.UUIDField(null=True)
    actor_id = f.UUIDField(null=True)
    session_id = f.UUIDField(null=True)
    ip = f.CharField(max_length=45, default="")
    user_agent = f.CharField(max_length=255, default="")
    request_id = f.CharField(max_length=36, default="")
    detail = f.CharField(max_length=255, default="")

    class Meta:
        registry = db.registry
        tablename = "audit_events"
        indexes = [
            edgy.Index(fields=["user_id", "id"], name="ix_audit_events_user_id"),
            edgy.Index(fields=["actor_id", "id"], name="ix_audit_events_actor_id"),
            edgy.Index(fields=["event", "id"], name="ix_audit_events_event"),
            edgy.Index(fields=["ip", "id"], name="ix_audit_events_ip"),
        ]


event_rows: Any = AuditEvent.table  # for SQLAlchemy Core
