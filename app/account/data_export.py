"""Data export (/account/export): everything stored about a user, as JSON, without secrets.

The response is streamed page by page, so the export of a large account does not fill the memory of a worker.
Chapter: "The life of an account". Source: GDPR article 20; v5.0.0-7.5.3.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from lilya.responses import StreamingResponse
from ravyn import Request, get, post

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import permissions
from app.auth.models import link_rows, session_rows, user_rows
from app.db.owned_rows import OwnedRows
from app.email.models import email_rows
from app.mfa.models import authenticator_rows, passkey_rows, recovery_rows
from app.web import features, forms, templates

# The tables of the core, each without secrets and without columns that only our queries need.
TABLES: dict[str, OwnedRows] = {
    "profile": OwnedRows(user_rows, user_rows.c.id, {"password", "email_key", "search_text"}),
    "sessions": OwnedRows(
        session_rows,
        session_rows.c.user_id,
        {"user_id", "secret", "generation", "confirmed", "handed_at", "device_key"},
    ),
    "links": OwnedRows(link_rows, link_rows.c.user_id, {"user_id", "secret", "password", "fingerprint", "email_key"}),
    "authenticators": OwnedRows(authenticator_rows, authenticator_rows.c.user_id, {"user_id", "secret", "last_step"}),
    "recovery_codes": OwnedRows(recovery_rows, recovery_rows.c.user_id, {"user_id", "digest"}),
    "passkeys": OwnedRows(passkey_rows, passkey_rows.c.user_id, {"user_id", "credential", "public_key", "uses"}),
    "letters": OwnedRows(
        email_rows,
        email_rows.c.user_id,
        {"user_id", "facts", "text", "html", "error", "attempts", "next_try_at"},
    ),
    "activity": OwnedRows(event_rows, event_rows.c.user_id, {"user_id", "actor_id", "request_id"}),
}


@get()
async def page(request: Request) -> Any:
    return templates.page(request, "account/export.html", features=sorted(features.table("export")))


@post(status_code=200)
async def download(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    user = request.user
    await events.record(events.DATA_EXPORTED, user_id=user.id, actor_id=user.id, session_id=user.sid)
    name = f"{templates.APP_SLUG}-{db.utcnow():%Y-%m-%d}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(document(user.id), media_type="application/json", headers=headers)


async def document(user_id: UUID) -> AsyncIterator[str]:
    """The JSON text in chunks: an object with one list per table."""
    yield f'{{"made_at": {_json(db.utcnow())}'
    for name, source in {**TABLES, **features.table("export")}.items():
        yield f",\n\n{_json(name)}: ["
        between = "\n  "
        async for item in source(user_id):
            yield between + _json(item)
            between = ",\n  "
        yield "]"
    yield "}\n"


def _json(value: Any) -> str:
    value = dict(value) if isinstance(value, Mapping) else value
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


route_patterns = [
    permissions.private("/account/export", page, permissions.RecentLogin),
    permissions.private("/account/export", download, permissions.RecentLogin),
]
