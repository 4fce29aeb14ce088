"""The account page (/account): name, password change, recent activity, account deletion.

Chapter: "The life of an account". Source: v5.0.0-6.2.2, v5.0.0-6.2.3, v5.0.0-7.5.1.
"""

import json
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from ravyn import Request, get, post

from app import db
from app.audit import events, queries
from app.auth import challenges, cookies, permissions, redirects
from app.auth.accounts import account_deletion, email_change, password_change, profile
from app.auth.errors import RetryLater
from app.auth.redirects import see_other
from app.mfa import enrolment, passkeys, webauthn
from app.settings import get_settings
from app.web import errors, forms, lengths, notices, templates, urls
from app.web.errors import Problem

PAGE = 50
# Which passkeys a password change removes.
PASSKEYS = {"none": "Keep all", "new": "Remove those that were added recently", "all": "Remove all"}
LAST_ADMIN = "You are the only administrator. Make somebody else an administrator first."


class NameForm(BaseModel):
    name: Annotated[str, forms.Line(1, lengths.NAME)]


class PasswordForm(BaseModel):
    """`passkeys`: which ones the password change removes."""

    current_password: str = Field(min_length=1)
    new_password: str = Field(min_length=1)
    passkeys: Literal["none", "new", "all"] = "none"


@get()
async def overview(request: Request) -> Any:
    return await _overview(request, {"name": request.user.name})


@post(status_code=303)
async def save_name(request: Request) -> Any:
    form = await forms.parse(request, NameForm)
    if form.data is None:
        return await _overview(request, form.values, status=422, errors=form.errors)
    await profile.change_name(request.user.id, form.data.name)
    return see_other("/account", notice="name_changed")


@get()
async def password_page(request: Request) -> Any:
    return await _password_page(request)


@post(status_code=303)
async def change_password(request: Request) -> Any:
    form = await forms.parse(request, PasswordForm)
    if form.data is None:
        return await _password_page(request, form.values["passkeys"], 422, errors=form.errors)
    user, typed = request.user, form.data
    also = partial(_remove_passkeys, user.id, typed.passkeys)
    try:
        changed = await password_change.change_password(
            user.id, user.sid, typed.current_password, typed.new_password, also
        )
    except RetryLater as error:
        return await _password_page(request, typed.passkeys, **challenges.form_again(request, error))
    if isinstance(changed, dict):
        return await _password_page(request, typed.passkeys, 422, errors=changed)
    return cookies.set_tokens(see_other("/account", notice="password_changed"), changed)


async def _remove_passkeys(user_id: UUID, which: str, tx: Any, now: datetime) -> None:
    if which != "none":
        await passkeys.remove_all(tx, user_id, since=now - enrolment.RECENT if which == "new" else None)


@get()
async def activity(request: Request) -> Any:
    after = urls.uuid_or_none(request.query_params.get("cursor"))
    rows = await queries.of_user(request.user.id, PAGE + 1, after=after)
    next_cursor = str(rows[PAGE - 1].id) if len(rows) > PAGE else None
    shown = [events.described(row) for row in rows[:PAGE]]
    return templates.page(request, "account/activity.html", activity=shown, next_cursor=next_cursor)


@get()
async def confirm_delete(request: Request) -> Any:
    return _delete_page(request)


@post(status_code=303)
async def delete(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    if await account_deletion.schedule(request.user.id) is None:
        if not errors.wants_html(request.scope):
            raise Problem(409, LAST_ADMIN)
        return _delete_page(request, status=409, error=LAST_ADMIN)
    return redirects.signed_out("deletion_requested")


async def _overview(request: Request, form: dict[str, str], status: int = 200, **context: Any) -> Any:
    pending = await email_change.pending_email(request.user.id, db.utcnow())
    context = {"errors": {}, "form": form, "pending_email": pending, "signal": await _signal(request), **context}
    return templates.page(request, "account/overview.html", status, **context)


async def _signal(request: Request) -> str:
    """What the device should know of the account; "" unless a change was just made (see `web.notices`)."""
    if not notices.code_of(request.scope):
        return ""
    return json.dumps(webauthn.to_signal(request.user, await passkeys.of_user(request.user.id)))


async def _password_page(request: Request, chosen: str = "", status: int = 200, **context: Any) -> Any:
    """`chosen`: which passkeys are to be removed; a key of PASSKEYS."""
    known = await passkeys.of_user(request.user.id)
    added = await enrolment.added_recently(request.user.id, db.utcnow())
    ways = {way: words for way, words in PASSKEYS.items() if way != "new" or any(each.name for each in added)}
    shortest = get_settings().password_min_length
    hint = f"At least {shortest} characters. A few unrelated words are easy to remember and hard to guess."
    context = {"errors": {}, "error": "", "hint": hint, "shortest": shortest, "added": added, **context}
    context["days"] = enrolment.RECENT.days
    context |= {"ways": ways if known else {}, "chosen": chosen if chosen in ways else "none"}
    return templates.page(request, "account/password.html", status, **context)


def _delete_page(request: Request, status: int = 200, error: str = "") -> Any:
    days = get_settings().deletion_grace_days
    return templates.page(request, "account/delete.html", status, days=days, error=error)


route_patterns = [
    permissions.private("/account", overview),
    permissions.private("/account", save_name),
    permissions.private("/account/password", password_page, permissions.RecentLogin),
    permissions.private("/account/password", change_password, permissions.RecentLogin),
    permissions.private("/account/activity", activity),
    permissions.private("/account/delete", confirm_delete, permissions.RecentLogin),
    permissions.private("/account/delete", delete, permissions.RecentLogin),
]
