"""Letters that could not be delivered: the list, and the way back into the queue."""

from typing import Any

from ravyn import Request, get, post

from app import db
from app.admin import mail, overview
from app.audit import events
from app.auth import guards
from app.auth.challenges import see_other
from app.mail import outbox
from app.web import forms, render, urls
from app.web.errors import Problem


@get()
async def index(request: Request) -> Any:
    page = await mail.dead()
    numbers = await overview.numbers(db.utcnow())
    return render.page(request, "admin/mail.html", letters=page.items, owed=numbers.owed, more=page.next_cursor)


@get()
async def confirm_try_again(request: Request) -> Any:
    return render.page(request, "admin/try_again.html", letter=await _letter(request))


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
    letter = await mail.get(letter_id) if letter_id else None
    if letter is None:
        raise Problem(404)
    return letter


route_patterns = [
    guards.private("/admin/mail", index, guards.Admin),
    guards.private("/admin/mail/{letter_id}/try-again", confirm_try_again, guards.RecentAdmin),
    guards.private("/admin/mail/{letter_id}/try-again", try_again, guards.RecentAdmin),
]
