"""After a session ended because an old token was used again: who used it, and what to do if that was somebody else.

Chapter: "The life of an account".
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ravyn import Request, get, post

from app import db
from app.account.sessions import own_session
from app.audit import events
from app.auth import challenges, permissions
from app.auth.errors import RetryLater
from app.auth.redirects import see_other
from app.auth.sessions import reuse_review
from app.mfa import proofs
from app.mfa.proof_form import ProofForm, asking
from app.web import client, forms, templates


class Answer(ProofForm):
    """`owner`: "yes" or "no", whether the owner of the account used the old token. "yes" needs a proof."""

    owner: str = ""


@get()
async def answer_page(request: Request) -> Any:
    row = await own_session(request)
    return await _answer_page(request, row.id, {})


@post(status_code=303)
async def answer(request: Request) -> Any:
    row, form = await own_session(request), await forms.parse(request, Answer)
    user, sid = request.user, row.id
    if form.data is None:
        return await _answer_page(request, sid, form.values, status=422, errors=form.errors)
    if form.data.owner == "no":
        await reuse_review.deny(user.id, sid)
        return see_other("/account/secure")

    async def confirm(tx: Any, _: Any, __: datetime) -> dict[str, str]:
        await reuse_review.confirm(tx, user.id, sid)
        return {}

    try:
        field_errors = await proofs.proved(user.id, user.sid, form.data.proof(), confirm)
    except RetryLater as error:
        return await _answer_page(request, sid, form.values, **challenges.form_again(request, error))
    if field_errors:
        return await _answer_page(request, sid, form.values, status=422, errors=field_errors)
    return see_other("/dashboard", notice="reuse_was_owner")


@get()
async def secure(request: Request) -> Any:
    """The steps that take an account back, in the order that helps."""
    return templates.page(request, "account/secure.html")


async def _answer_page(
    request: Request, sid: UUID, typed: Mapping[str, str], status: int = 200, headers: Any = None, **context: Any
) -> Any:
    review = await reuse_review.open_review(request.user.id, db.utcnow())
    if review is None or review.session.id != sid:
        return see_other("/dashboard")
    where = await reuse_review.reuse_event(request.user.id, sid)
    about = {
        "stolen": review.session,
        "device": client.device(review.session.user_agent),
        "where": events.described(where) if where else None,
    }
    context = {"errors": {}, "error": "", **about, **await asking(request, typed), **context}
    return templates.page(request, "account/answer.html", status, headers, **context)


route_patterns = [
    permissions.private("/account/secure", secure),
    permissions.private("/account/sessions/{sid}/answer", answer_page),
    permissions.private("/account/sessions/{sid}/answer", answer),
]
