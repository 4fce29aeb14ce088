"""The development mailbox: e-mails that were sent, wait, or failed.

Open only in development and from this machine (`permissions.Developer`), because an e-mail's link may open an account.
Production stores no text of e-mails, and `main.create_app` refuses to serve these routes there.
Chapter: "Transactional e-mail".
"""

from typing import Any

import sqlalchemy as sa
from lilya.responses import Response
from ravyn import Request, get

from app import db
from app.auth import permissions
from app.dev import email_samples
from app.email import messages
from app.email.messages import Message
from app.email.models import email_rows
from app.settings import get_settings
from app.web import security_headers, templates, urls
from app.web.errors import Problem

PAGE = 50
KINDS = {"sent": "success", "waiting": "warning", "dropped": "plain", "failed": "error"}  # state -> colour of its tag


@get()
async def mailbox(request: Request) -> Any:
    search = request.query_params.get("q", "").strip()[:254]
    after = urls.uuid_or_none(request.query_params.get("cursor"))
    table = email_rows
    query = sa.select(table).order_by(table.c.id.desc()).limit(PAGE + 1)
    if search:
        query = query.where(sa.func.lower(table.c.recipient).contains(search.lower(), autoescape=True))
    if after:
        query = query.where(table.c.id < after)
    rows = await db.fetch_all(query)
    emails = [_shown(row) for row in rows[:PAGE]]
    next_cursor = str(emails[-1]["id"]) if len(rows) > PAGE else None
    return templates.page(request, "dev/mailbox.html", emails=emails, query=search, next_cursor=next_cursor)


@get()
async def email(request: Request) -> Any:
    row = await _found(request)
    lines = messages.lines(row.text, get_settings().origin)
    return templates.page(request, "dev/email.html", email=_shown(row), lines=lines)


@get()
async def email_html(request: Request) -> Any:
    """The HTML part of an e-mail, for the frame in its page: with its own styles and without scripts and cookies."""
    return _html((await _found(request)).html)


def _html(text: str) -> Any:
    policy = {"content-security-policy": security_headers.EMAIL_POLICY}
    return Response(text, headers=policy, media_type="text/html")


@get()
async def samples(request: Request) -> Any:
    listed = [(name, email_samples.sample(name).subject) for name in email_samples.names()]
    return templates.page(request, "dev/samples.html", samples=listed)


@get()
async def sample(request: Request) -> Any:
    made = _sample(request)
    shown = {
        "id": f"samples/{request.path_params['name']}", "title": made.subject, "recipient": made.recipient,
        "created_at": email_samples.SENT_AT, "state": "sample", "tag": "plain", "error": "", "text": made.text,
    }  # fmt: skip
    lines = messages.lines(made.text, get_settings().origin)
    return templates.page(request, "dev/email.html", email=shown, lines=lines)


@get()
async def sample_html(request: Request) -> Any:
    return _html(_sample(request).html)


def _sample(request: Request) -> Message:
    name = request.path_params["name"]
    if name not in email_samples.names():
        raise Problem(404)
    return email_samples.sample(name)


async def _found(request: Request) -> Any:
    email_id = urls.uuid_or_none(request.path_params["email_id"])
    row = await db.fetch_one(sa.select(email_rows).where(email_rows.c.id == email_id)) if email_id else None
    if row is None:
        raise Problem(404)
    return row


def _shown(row: Any) -> dict[str, Any]:
    state = "sent" if row.sent_at else "dropped" if row.dropped_at else "failed" if row.failed_at else "waiting"
    return {**row._mapping, "state": state, "tag": KINDS[state], "title": row.subject or f"({row.kind})"}


route_patterns = [
    permissions.developer("/dev/mailbox", mailbox),
    permissions.developer("/dev/mailbox/samples", samples),
    permissions.developer("/dev/mailbox/samples/{name}", sample),
    permissions.developer("/dev/mailbox/samples/{name}/html", sample_html),
    permissions.developer("/dev/mailbox/{email_id}", email),
    permissions.developer("/dev/mailbox/{email_id}/html", email_html),
]
