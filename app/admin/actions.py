"""Admin actions: each has a page that says what it will do, and a POST to the same address.

Both require the permission `users:write` that the database has now, and a recent login (`permissions.requires`): a POST
that comes late changes nothing and leads back to its page. Actions that grant rights or access require a proof in the
form as well (`mfa.proofs`): an account created with a copied cookie would outlive the session of that cookie.
Source: v5.0.0-7.5.1, v5.0.0-7.5.3, v5.0.0-8.3.2; v5.0.0-2.3.5.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator
from ravyn import Request, get, post

from app.admin import pages
from app.auth import challenges, permissions, roles
from app.auth.accounts import user_admin
from app.auth.accounts.user_admin import Outcome
from app.auth.errors import Forbidden, RetryLater
from app.auth.permissions import requires
from app.auth.redirects import see_other
from app.auth.roles import ROLES
from app.mfa import proofs, second_factor
from app.mfa.proof_form import ProofForm, asking
from app.web import client, errors, forms, lengths, templates
from app.web.email_address import Address
from app.web.errors import Problem

Act = Callable[[UUID, UUID], Awaitable[Outcome]]

# Name in the address -> what it does, and the notice afterwards.
ACTIONS: dict[str, tuple[Act, str]] = {
    "deactivate": (partial(user_admin.change, is_active=False), "user_deactivated"),
    "reactivate": (partial(user_admin.change, is_active=True), "user_reactivated"),
    "end-sessions": (user_admin.end_sessions, "sessions_ended"),
    "send-link": (user_admin.send_link, "link_sent"),
    "require-new-password": (user_admin.require_new_password, "new_password_wanted"),
    "remove-second-factor": (second_factor.remove, "second_factor_removed"),
    "allow-old-password": (partial(user_admin.require_new_password, required=False), "new_password_not_wanted"),
}
# Those that give an account something. The others take away, or write to the account's own address.
GIVES = {"reactivate", "remove-second-factor", "allow-old-password"}
WHY_NOT = {
    Outcome.YOURSELF: "You cannot do this to your own account.",
    Outcome.LAST_ADMIN: "This is the only administrator. Make somebody else an administrator first.",
    Outcome.INACTIVE: "The account is deactivated, so the link would not work. Reactivate the account first.",
}
TAKEN = "There is already an account with this address."


def known_role(text: str) -> str:
    if text not in ROLES:
        raise ValueError("Choose one of the listed values.")
    return text


class EditForm(ProofForm):
    name: Annotated[str, forms.Line(1, lengths.NAME)]
    role: Annotated[str, AfterValidator(known_role)]


class InviteForm(EditForm):
    email: Address


@get()
async def confirm(request: Request) -> Any:
    person, action = await requested_action(request)
    return await _confirm_page(request, person, action)


@post(status_code=303)
async def act(request: Request) -> Any:
    form = await forms.parse(request, ProofForm)
    person, action = await requested_action(request)
    if action in GIVES and form.data is None:
        return await _confirm_page(request, person, action, form.values, status=422, errors=form.errors)
    if wrong := await unproved(request, form.data) if action in GIVES and form.data else {}:
        return await _confirm_page(request, person, action, form.values, **wrong)
    do, notice = ACTIONS[action]
    outcome = await do(person.id, request.user.id)
    if outcome in WHY_NOT and errors.wants_html(request.scope):
        return await _confirm_page(request, person, action, status=409, error=WHY_NOT[outcome])
    return _back(person.id, checked(outcome), notice)


@get()
async def confirm_end_session(request: Request) -> Any:
    person, row = await session_of_another(request)
    return templates.page(
        request, "admin/end_session.html", person=person, session=row, device=client.device(row.user_agent)
    )


@post(status_code=303)
async def end_session(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    person, row = await session_of_another(request)
    outcome = await user_admin.end_session(person.id, row.id, request.user.id)
    return _back(person.id, checked(outcome), "session_ended_here")


@get()
async def edit_page(request: Request) -> Any:
    """`?role=`: the one that is chosen already."""
    person, role = await _somebody_else(request), request.query_params.get("role", "")
    return await _edit_page(request, person, {"name": person.name, "role": role if role in ROLES else person.role})


@post(status_code=303)
async def edit(request: Request) -> Any:
    person = await _somebody_else(request)
    form = await forms.parse(request, EditForm)
    if form.data is None:
        return await _edit_page(request, person, form.values, status=422, errors=form.errors)
    name, role = form.data.name, new_role(person, form.data.role)
    if wrong := await unproved(request, form.data) if role in roles.privileged() else {}:
        return await _edit_page(request, person, form.values, **wrong)
    outcome = await user_admin.change(person.id, request.user.id, name=name, role=role)
    if outcome in WHY_NOT and errors.wants_html(request.scope):
        return await _edit_page(request, person, form.values, status=409, errors={"role": WHY_NOT[outcome]})
    return _back(person.id, checked(outcome), "role_changed" if role else "user_saved")


@get()
async def invite_page(request: Request) -> Any:
    user_admin.check_takes_invited()
    return await _invite_page(request, {"email": "", "name": "", "role": "user"})


@post(status_code=303)
async def invite(request: Request) -> Any:
    user_admin.check_takes_invited()
    form = await forms.parse(request, InviteForm)
    if form.data is None:
        return await _invite_page(request, form.values, status=422, errors=form.errors)
    if wrong := await unproved(request, form.data):
        return await _invite_page(request, form.values, **wrong)
    made = await user_admin.invite(form.data.email, form.data.name, form.data.role, request.user.id)
    if made is Outcome.NOTHING:
        return await _invite_page(request, form.values, status=422, errors={"email": TAKEN})
    if isinstance(made, Outcome):
        raise Forbidden
    return see_other(f"/admin/users/{made}", notice="user_invited")


def new_role(person: Any, role: str | None) -> str | None:
    """None where it is the one that the person has: written all the same, it would undo what another admin just did."""
    return role if role != person.role else None


async def unproved(request: Request, form: ProofForm) -> dict[str, Any]:
    """What the page says where the proof in the form is not good; nothing where it is."""
    try:
        field_errors = await proofs.verify(request.user, form.proof())
    except RetryLater as error:
        return challenges.form_again(request, error)
    return {"status": 422, "errors": field_errors} if field_errors else {}


def checked(outcome: Outcome) -> Outcome:
    """DONE or NOTHING; everything else is an error. Raises Problem, Forbidden."""
    if outcome is Outcome.FORBIDDEN:
        raise Forbidden
    if outcome is Outcome.MISSING:
        raise Problem(404)
    if outcome in WHY_NOT:
        raise Problem(409, WHY_NOT[outcome])
    return outcome


async def requested_action(request: Request) -> tuple[Any, str]:
    """The person and the action that the path names."""
    action = request.path_params["action"]
    if action not in ACTIONS:
        raise Problem(404)
    return await _somebody_else(request), action


async def _somebody_else(request: Request) -> Any:
    return _acted_on(request, await pages.known(request))


async def session_of_another(request: Request) -> tuple[Any, Any]:
    person, row = await pages.known_session(request)
    return _acted_on(request, person), row


def _acted_on(request: Request, person: Any) -> Any:
    """The person, if the user may act on the account. Raises Problem, Forbidden; `user_admin` decides it again."""
    if person.id == request.user.id:
        raise Problem(409, WHY_NOT[Outcome.YOURSELF])
    if not roles.covers(request.user.role, person.role):
        raise Forbidden
    return person


def _back(user_id: UUID, outcome: Outcome, notice: str) -> Any:
    return see_other(f"/admin/users/{user_id}", notice=notice if outcome is Outcome.DONE else "nothing_to_do")


async def _confirm_page(
    request: Request, person: Any, action: str, typed: Mapping[str, str] | None = None, **context: Any
) -> Any:
    about = {"person": person, "action": action, "gives": action in GIVES, "invited": user_admin.invited(person)}
    return await _page(request, "admin/confirm.html", typed or {}, about | context)


async def _edit_page(request: Request, person: Any, typed: Mapping[str, str], **context: Any) -> Any:
    words = pages.role_words(request.user)
    asks = any(role in words for role in roles.privileged() if role != person.role)
    about = {"person": person, "roles": words, "asks": asks}
    return await _page(request, "admin/edit.html", typed, {**about, **context})


async def _invite_page(request: Request, typed: Mapping[str, str], **context: Any) -> Any:
    return await _page(request, "admin/new.html", typed, {"roles": pages.role_words(request.user), **context})


async def _page(request: Request, name: str, typed: Mapping[str, str], context: dict[str, Any]) -> Any:
    context = {"errors": {}, "error": "", **await asking(request, typed), **context}
    return templates.page(request, name, context.pop("status", 200), context.pop("headers", None), **context)


route_patterns = [
    permissions.private("/admin/users/new", invite_page, requires("users:write")),
    permissions.private("/admin/users/new", invite, requires("users:write")),
    permissions.private("/admin/users/{user_id}/edit", edit_page, requires("users:write")),
    permissions.private("/admin/users/{user_id}/edit", edit, requires("users:write")),
    permissions.private(
        "/admin/users/{user_id}/sessions/{session_id}/end", confirm_end_session, requires("users:write")
    ),
    permissions.private("/admin/users/{user_id}/sessions/{session_id}/end", end_session, requires("users:write")),
    permissions.private("/admin/users/{user_id}/{action}", confirm, requires("users:write")),
    permissions.private("/admin/users/{user_id}/{action}", act, requires("users:write")),
]
