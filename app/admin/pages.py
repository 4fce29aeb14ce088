"""People: the list, deactivate and reactivate, end sessions. The row decides, never the token (v5.0.0-8.3.2)."""

from typing import Any

from ravyn import Request, get, post

from app.admin import users
from app.auth import accounts, guards
from app.auth.challenges import see_other
from app.web import forms, render, urls
from app.web.errors import Problem

NOTICES = {"deactivate": "user_deactivated", "reactivate": "user_reactivated", "end-sessions": "sessions_ended"}
CHANGES = {
    "deactivate": accounts.deactivate,
    "reactivate": accounts.reactivate,
    "end-sessions": accounts.end_sessions,
}


@get()
async def index(request: Request) -> Any:
    search = request.query_params.get("q", "").strip()[:200]
    after = urls.uuid_or_none(request.query_params.get("cursor"))
    page = await users.listing(search=search, after=after)
    people = [dict(row._mapping) for row in page.items]
    return render.page(
        request, "admin/users.html", users=people, query=search, next_cursor=page.next_cursor, me=request.user.id
    )


@get()
async def confirm(request: Request) -> Any:
    person, action = await _asked(request)
    return render.page(request, "admin/confirm.html", person=dict(person._mapping), action=action, error="")


@post(status_code=303)
async def change(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    person, action = await _asked(request)
    await CHANGES[action](person.id, request.user.id)
    return see_other("/admin/users", notice=NOTICES[action])


async def _asked(request: Request) -> tuple[Any, str]:
    """The person and the action that the path names. Never oneself: an admin cannot lock the last door from outside."""
    user_id, action = urls.uuid_or_none(request.path_params["user_id"]), request.path_params["action"]
    person = await users.get(user_id) if user_id and action in CHANGES else None
    if person is None:
        raise Problem(404)
    if person.id == request.user.id:
        raise Problem(409, "You cannot do this to your own account.")
    return person, action


route_patterns = [
    guards.private("/admin/users", index, guards.Admin),
    guards.private("/admin/users/{user_id}/{action}", confirm, guards.RecentAdmin),
    guards.private("/admin/users/{user_id}/{action}", change, guards.RecentAdmin),
]
