"""What an admin changes: each action has a page that says what it will do, and a POST to the same address.

Both are for whoever typed the password lately, and is an admin by the row of this moment (`guards.RecentAdmin`): a POST
that comes late changes nothing and leads back to its page. Source: v5.0.0-7.5.1, v5.0.0-8.3.2; v5.0.0-2.3.5.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel
from ravyn import Request, get, post

from app.admin import pages
from app.auth import administration, guards
from app.auth.administration import Outcome
from app.auth.challenges import see_other
from app.auth.errors import Forbidden
from app.auth.models import ROLES
from app.mfa import factors
from app.web import client, errors, forms, render
from app.web.addresses import Address
from app.web.errors import Problem

Act = Callable[[UUID, UUID], Awaitable[Outcome]]

# Name in the address -> what it does, and the notice afterwards.
ACTIONS: dict[str, tuple[Act, str]] = {
    "deactivate": (partial(administration.change, is_active=False), "user_deactivated"),
    "reactivate": (partial(administration.change, is_active=True), "user_reactivated"),
    "end-sessions": (administration.end_sessions, "sessions_ended"),
    "send-link": (administration.send_link, "link_sent"),
    "require-new-password": (administration.require_new_password, "new_password_wanted"),
    "remove-second-factor": (factors.remove, "second_factor_removed"),
    "allow-old-password": (partial(administration.require_new_password, required=False), "new_password_not_wanted"),
}
WHY_NOT = {
    Outcome.YOURSELF: "You cannot do this to your own account.",
    Outcome.LAST_ADMIN: "This is the only administrator. Make somebody else one first.",
    Outcome.INACTIVE: "The account is deactivated: a link would open nothing. Reactivate it first.",
}
TAKEN = "There is an account with this address already."


def known_role(text: str) -> str:
    if text not in ROLES:
        raise ValueError("Choose one of the list.")
    return text


class EditForm(BaseModel):
    name: Annotated[str, forms.Line(1, 80)]
    role: Annotated[str, AfterValidator(known_role)]


class InviteForm(EditForm):
    email: Address


@get()
async def confirm(request: Request) -> Any:
    person, action = await asked(request)
    return _confirm_page(request, person, action)


@post(status_code=303)
async def act(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    person, action = await asked(request)
    do, notice = ACTIONS[action]
    outcome = await do(person.id, request.user.id)
    if outcome in WHY_NOT and errors.wants_html(request.scope):
        return _confirm_page(request, person, action, 409, WHY_NOT[outcome])
    return _back(person.id, checked(outcome), notice)


@get()
async def confirm_end_session(request: Request) -> Any:
    person, row = await session_of_another(request)
    return render.page(
        request, "admin/end_session.html", person=person, session=row, device=client.device(row.user_agent)
    )


@post(status_code=303)
async def end_session(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    person, row = await session_of_another(request)
    outcome = await administration.end_session(person.id, row.id, request.user.id)
    return _back(person.id, checked(outcome), "session_ended_here")


@get()
async def edit_page(request: Request) -> Any:
    person = await _somebody_else(request)
    return _edit_page(request, person, {"name": person.name, "role": person.role})


@post(status_code=303)
async def edit(request: Request) -> Any:
    person = await _somebody_else(request)
    form = await forms.parse(request, EditForm)
    if form.data is None:
        return _edit_page(request, person, form.values, 422, form.errors)
    outcome = await administration.change(person.id, request.user.id, name=form.data.name, role=form.data.role)
    if outcome in WHY_NOT and errors.wants_html(request.scope):
        return _edit_page(request, person, form.values, 409, {"role": WHY_NOT[outcome]})
    notice = "role_changed" if form.data.role != person.role else "user_saved"
    return _back(person.id, checked(outcome), notice)


@get()
async def invite_page(request: Request) -> Any:
    return _invite_page(request, {"email": "", "name": "", "role": "user"})


@post(status_code=303)
async def invite(request: Request) -> Any:
    form = await forms.parse(request, InviteForm)
    if form.data is None:
        return _invite_page(request, form.values, 422, form.errors)
    made = await administration.invite(form.data.email, form.data.name, form.data.role, request.user.id)
    if made is Outcome.NOTHING:
        return _invite_page(request, form.values, 422, {"email": TAKEN})
    if isinstance(made, Outcome):
        raise Forbidden
    return see_other(f"/admin/users/{made}", notice="user_invited")


def checked(outcome: Outcome) -> Outcome:
    """DONE or NOTHING; everything else is an error. Raises Problem, Forbidden."""
    if outcome is Outcome.NO_ADMIN:
        raise Forbidden
    if outcome is Outcome.MISSING:
        raise Problem(404)
    if outcome in WHY_NOT:
        raise Problem(409, WHY_NOT[outcome])
    return outcome


async def asked(request: Request) -> tuple[Any, str]:
    """The person and the action that the path names."""
    action = request.path_params["action"]
    if action not in ACTIONS:
        raise Problem(404)
    return await _somebody_else(request), action


async def _somebody_else(request: Request) -> Any:
    return _not_oneself(request, await pages.known(request))


async def session_of_another(request: Request) -> tuple[Any, Any]:
    person, row = await pages.known_session(request)
    return _not_oneself(request, person), row


def _not_oneself(request: Request, person: Any) -> Any:
    if person.id == request.user.id:
        raise Problem(409, WHY_NOT[Outcome.YOURSELF])
    return person


def _back(user_id: UUID, outcome: Outcome, notice: str) -> Any:
    return see_other(f"/admin/users/{user_id}", notice=notice if outcome is Outcome.DONE else "nothing_to_do")


def _confirm_page(request: Request, person: Any, action: str, status: int = 200, error: str = "") -> Any:
    return render.page(
        request, "admin/confirm.html", status, person=person, action=action, error=error,
        invited=administration.invited(person),
    )  # fmt: skip


def _edit_page(
    request: Request, person: Any, form: Mapping[str, str], status: int = 200, faults: Mapping[str, str] | None = None
) -> Any:
    shown = {"form": form, "errors": faults or {}, "roles": pages.ROLE_WORDS}
    return render.page(request, "admin/edit.html", status, person=person, **shown)


def _invite_page(
    request: Request, form: Mapping[str, str], status: int = 200, faults: Mapping[str, str] | None = None
) -> Any:
    return render.page(request, "admin/new.html", status, form=form, errors=faults or {}, roles=pages.ROLE_WORDS)


route_patterns = [
    guards.private("/admin/users/new", invite_page, guards.RecentAdmin),
    guards.private("/admin/users/new", invite, guards.RecentAdmin),
    guards.private("/admin/users/{user_id}/edit", edit_page, guards.RecentAdmin),
    guards.private("/admin/users/{user_id}/edit", edit, guards.RecentAdmin),
    guards.private("/admin/users/{user_id}/sessions/{session_id}/end", confirm_end_session, guards.RecentAdmin),
    guards.private("/admin/users/{user_id}/sessions/{session_id}/end", end_session, guards.RecentAdmin),
    guards.private("/admin/users/{user_id}/{action}", confirm, guards.RecentAdmin),
    guards.private("/admin/users/{user_id}/{action}", act, guards.RecentAdmin),
]
