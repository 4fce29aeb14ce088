"""Change the e-mail address (/account/email), and undo it from the old mailbox (/undo-email-change).

The link in the e-mail to the new address opens /verify-email, like the links of registrations.
Chapter: "The life of an account". Source: v5.0.0-6.3.7, v5.0.0-7.5.1.
"""

from typing import Any

from pydantic import BaseModel, Field
from ravyn import Request, get, post

from app import db
from app.auth import authentication, challenges, email_links, permissions
from app.auth.accounts import email_change
from app.auth.errors import RetryLater
from app.auth.pages.signup import OPENED_BY_LINK, link_expired
from app.auth.redirects import see_other
from app.web import forms, templates
from app.web.email_address import Address


class EmailForm(BaseModel):
    email: Address
    current_password: str = Field(min_length=1)


class UndoForm(BaseModel):
    token: str = ""


@get()
async def email_page(request: Request) -> Any:
    return await _email_page(request, "")


@post(status_code=303)
async def request_email(request: Request) -> Any:
    form = await forms.parse(request, EmailForm)
    if form.data is None:
        return await _email_page(request, form.values["email"], status=422, errors=form.errors)
    user, typed = request.user, form.data
    try:
        field_errors = await email_change.request_email_change(user.id, user.sid, typed.email, typed.current_password)
    except RetryLater as error:
        return await _email_page(request, typed.email, **challenges.form_again(request, error))
    if field_errors:
        return await _email_page(request, typed.email, status=422, errors=field_errors)
    return see_other("/account", notice="email_change_requested")


@get()
async def undo_page(request: Request) -> Any:
    """Shows only a button: mail scanners open links with GET, and must not undo anything."""
    return await _undo_page(request, request.query_params.get("token", ""))


@post(status_code=200)
async def undo(request: Request) -> Any:
    form = await forms.parse(request, UndoForm, bound=False)
    token = form.values["token"]
    try:
        email = await email_change.undo_email(token, db.utcnow())
    except RetryLater as error:
        return await _undo_page(request, token, **challenges.form_again(request, error))
    if not email:
        return await link_expired(request, "undo", token)
    if request.user.is_authenticated:  # every session of the account has ended: the page is for an anonymous user
        request.scope["user"] = await authentication.reload(request.user)
    return templates.page(request, "account/email_undone.html", email=email)


async def _undo_page(request: Request, token: str, status: int = 200, **context: Any) -> Any:
    link = await email_links.find(token, email_links.UNDO_EMAIL, db.utcnow())
    if link is None:
        return await link_expired(request, "undo", token)
    headers = OPENED_BY_LINK | context.pop("headers", {})
    context = {"error": "", "token": token, "email": link.email, **context}
    return templates.page(request, "account/undo_email.html", status, headers, **context)


async def _email_page(request: Request, typed: str, status: int = 200, **context: Any) -> Any:
    pending = await email_change.pending_email(request.user.id, db.utcnow())
    context = {"errors": {}, "error": "", **context}
    return templates.page(
        request, "account/email.html", status, form={"email": typed}, pending_email=pending, **context
    )


route_patterns = [
    permissions.private("/account/email", email_page, permissions.RecentLogin),
    permissions.private("/account/email", request_email, permissions.RecentLogin),
    permissions.public("/undo-email-change", undo_page),
    permissions.public("/undo-email-change", undo),
]
