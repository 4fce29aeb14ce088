"""After a session ended because an old token was used again: who used it, and what to do if that was somebody else.

Chapter: "The life of an account".
"""

from typing import Any, Literal

from pydantic import BaseModel
from ravyn import Request, get, post

from app import db
from app.account.sessions import own_session
from app.auth import permissions
from app.auth.redirects import see_other
from app.auth.sessions import reused
from app.web import forms, templates


class Answer(BaseModel):
    """`owner`: whether the owner of the account used the old token."""

    owner: Literal["yes", "no"]


@post(status_code=303)
async def answer(request: Request) -> Any:
    row, form = await own_session(request), await forms.parse(request, Answer)
    stolen = await reused.unanswered(request.user.id, db.utcnow())
    if form.data is None or stolen is None or stolen.id != row.id:
        return see_other("/dashboard")
    await reused.answer(request.user.id, row.id, form.data.owner)
    return (
        see_other("/dashboard", notice="reuse_was_owner") if form.data.owner == "yes" else see_other("/account/secure")
    )


@get()
async def secure(request: Request) -> Any:
    """The steps that take an account back, in the order that helps."""
    return templates.page(request, "account/secure.html")


route_patterns = [
    permissions.private("/account/secure", secure),
    permissions.private("/account/sessions/{sid}/answer", answer),
]
