"""Letters that could not be delivered: the list, and the way back into the queue."""

from typing import Any

from ravyn import Request, get, post

from app import db
from app.admin import email_queue, overview
from app.audit import events
from app.auth import permissions
from app.auth.challenges import see_other
from app.email import outbox
from app.web import forms, templates, urls
from app.web.errors import Problem


@get()
async def index(request: Request) -> Any:
    page = await email_queue.dead()
    numbers = await overview.numbers(db.utcnow())
    return templates.page(
        request, "admin/email_queue.html", letters=page.items, owed=numbers.owed, more=page.next_cursor
    )


@get()
async def confirm_try_again(request: Request) -> Any:
    return templates.page(request, "admin/try_again.html", letter=await _letter(request))


@post(status_code=303)
async def try_again(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    letter, user = await _letter(request), request.user
    async with db.transaction() as tx:
        again = await outbox.try_again(tx, letter.id)
        if again:
            about = {"user_id": letter.user_id, "actor_id": user.id, "session_id": user.sid, "detail": letter.kind}
            await events.record(events.LETTER_TRIED_AGAIN, tx=tx, **about)
    return see_other("/admin/mail", notice="letter_tried_again" if again else "nothing_to_do")


async def _letter(request: Request) -> Any:
    letter_id = urls.uuid_or_none(request.path_params["letter_id"])
    letter = await email_queue.get(letter_id) if letter_id else None
    if letter is None:
        raise Problem(404)
    return letter


route_patterns = [
    permissions.private("/admin/mail", index, permissions.Admin),
    permissions.private("/admin/mail/{letter_id}/try-again", confirm_try_again, permissions.RecentAdmin),
    permissions.private("/admin/mail/{letter_id}/try-again", try_again, permissions.RecentAdmin),
]
