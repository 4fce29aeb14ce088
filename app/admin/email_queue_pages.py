"""The e-mail queue in the admin area: undelivered e-mails, and sending one again."""

from typing import Any

from ravyn import Request, get, post

from app import db
from app.admin import email_queue, overview
from app.audit import events
from app.auth import permissions
from app.auth.permissions import requires
from app.auth.redirects import see_other
from app.email import outbox
from app.web import forms, templates, urls
from app.web.errors import Problem


@get()
async def index(request: Request) -> Any:
    page = await email_queue.failed()
    numbers = await overview.numbers(db.utcnow())
    return templates.page(
        request, "admin/email_queue.html", emails=page.items, queued=numbers.queued, more=page.next_cursor
    )


@get()
async def confirm_try_again(request: Request) -> Any:
    return templates.page(request, "admin/try_again.html", email=await _email(request))


@post(status_code=303)
async def try_again(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    email, user = await _email(request), request.user
    async with db.transaction() as tx:
        again = await outbox.try_again(tx, email.id)
        if again:
            about = {"user_id": email.user_id, "actor_id": user.id, "session_id": user.sid, "detail": email.kind}
            await events.record(events.EMAIL_RETRIED, tx=tx, **about)
    return see_other("/admin/mail", notice="email_retried" if again else "nothing_to_do")


async def _email(request: Request) -> Any:
    email_id = urls.uuid_or_none(request.path_params["email_id"])
    email = await email_queue.get(email_id) if email_id else None
    if email is None:
        raise Problem(404)
    return email


route_patterns = [
    permissions.private("/admin/mail", index, requires("emails:read")),
    permissions.private("/admin/mail/{email_id}/try-again", confirm_try_again, requires("emails:write")),
    permissions.private("/admin/mail/{email_id}/try-again", try_again, requires("emails:write")),
]
