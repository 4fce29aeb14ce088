"""Passkey pages: /account/passkeys, /login/passkey and /step-up/passkey.

The script `passkeys.js` writes the device's response into a hidden field and submits an ordinary form. Without
JavaScript, the pages show only the list.
Chapter: "The life of an account". Source: v5.0.0-6.5.6, v5.0.0-7.5.1; W3C Passkey Endpoints.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field
from ravyn import Request, get, post

from app import db
from app.auth import challenges, cookies, permissions, redirects
from app.auth.errors import RetryLater
from app.auth.redirects import see_other
from app.auth.sessions import rotation
from app.mfa import authenticators, enrolment, passkeys, webauthn
from app.mfa.proof_form import ProofForm, asking
from app.settings import get_settings
from app.web import forms, lengths, templates, urls
from app.web.errors import Problem
from app.web.json_response import JSONResponse

HERE = "/account/passkeys"
RELATED = "/.well-known/webauthn"


class AddForm(ProofForm):
    name: Annotated[str, forms.Line(0, lengths.NAME)] = ""
    credential: str = Field(min_length=1, max_length=webauthn.LONGEST)


class SignedForm(BaseModel):
    credential: str = ""
    next: str = ""


@get()
async def overview(request: Request) -> Any:
    return await _overview(request, {})


@post(status_code=303)
async def add(request: Request) -> Any:
    form = await forms.parse(request, AddForm)
    if form.data is None:
        return await _refused(request, form.values, form.errors)
    user, typed = request.user, form.data
    try:
        field_errors = await enrolment.add_passkey(user.id, user.sid, typed.credential, typed.name, typed.proof())
    except RetryLater as error:
        return await _overview(request, form.values, **challenges.form_again(request, error))
    return (
        await _refused(request, form.values, field_errors) if field_errors else see_other(HERE, notice="passkey_added")
    )


@get()
async def offer(request: Request) -> Any:
    """After a sign-in with the password: the script finds the challenge in the address (see `passkey_offer`)."""
    options = json.dumps(webauthn.to_add(request.user, await passkeys.of_user(request.user.id), challenged=False))
    to = urls.local_path(request.query_params.get("next"))
    return templates.page(request, "mfa/offer_passkey.html", options=options, to=to)


@post(status_code=303)
async def accept_offer(request: Request) -> Any:
    form = await forms.parse(request, SignedForm)
    user, to = request.user, urls.local_path(form.values["next"])
    if await enrolment.add_offered_passkey(user.id, user.sid, form.values["credential"]):
        return see_other(to, notice="passkey_added")
    return see_other(HERE, notice="passkey_not_added")


@post(status_code=303)
async def decline_offer(request: Request) -> Any:
    form = await forms.parse(request, SignedForm)
    await enrolment.decline_passkeys(request.user.id)
    return see_other(urls.local_path(form.values["next"]))


@get()
async def confirm_remove(request: Request) -> Any:
    passkey = await _own(request)
    kept_in = authenticators.name_of(passkey.aaguid)
    return templates.page(request, "mfa/remove_passkey.html", passkey=passkey, kept_in=kept_in)


@post(status_code=303)
async def remove(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    passkey = await _own(request)
    await passkeys.remove(request.user.id, passkey.id)
    return see_other(HERE, notice="passkey_removed")


@get()
async def sign_in_page(request: Request) -> Any:
    to = urls.local_path(request.query_params.get("next"))
    return see_other(to) if request.user.is_authenticated else _use_page(request, to, webauthn.SIGN_IN, "/login")


@post(status_code=303)
async def sign_in(request: Request) -> Any:
    form = await forms.parse(request, SignedForm, bound=False)
    to = urls.local_path(form.values["next"])
    access, refresh = cookies.read(request.scope)
    replaced = rotation.presented((access, "access"), (refresh, "refresh"))
    device = cookies.device_or_new(request.scope, db.utcnow())
    signed_in = await passkeys.sign_in(form.values["credential"], replaced, device)
    if signed_in is None:
        if credential := await passkeys.unknown(form.values["credential"]):
            unknown = json.dumps(webauthn.to_signal_unknown(credential))
            return _use_page(request, to, webauthn.SIGN_IN, "/login", 422, unknown=unknown)
        return see_other("/login/passkey", next=to, notice="passkey_not_good")
    return redirects.signed_in(signed_in, to, device, cookies.PASSKEY)


@get()
async def step_up_page(request: Request) -> Any:
    to = urls.local_path(request.query_params.get("next"))
    return _use_page(request, to, webauthn.stepping_up(request.user.sid), "/step-up")


@post(status_code=303)
async def step_up(request: Request) -> Any:
    form = await forms.parse(request, SignedForm)
    to = urls.local_path(form.values["next"])
    pair = await passkeys.step_up(request.user.id, request.user.sid, form.values["credential"])
    if pair is None:
        return see_other("/step-up/passkey", next=to, notice="passkey_not_good")
    return cookies.set_tokens(see_other(to), pair)


@get()
async def endpoints() -> Any:
    """The pages to which a password manager sends its user (W3C Passkey Endpoints)."""
    there = f"{get_settings().origin}{HERE}"
    return JSONResponse({"enroll": there, "manage": there})


@get()
async def related_origins() -> Any:
    """The other origins that may use the passkeys of this site (WebAuthn Level 3, section 5.11.1); 404 for none."""
    if not (origins := get_settings().related_origins):
        raise Problem(404)
    return JSONResponse({"origins": origins.split(",")})


def _use_page(request: Request, to: str, purpose: str, instead: str, status: int = 200, unknown: str = "") -> Any:
    to_sign = json.dumps(webauthn.to_sign(purpose))
    context: dict[str, Any] = {"to": to, "to_sign": to_sign, "instead": instead, "unknown": unknown}
    return templates.page(request, "mfa/use_passkey.html", status, **context)


async def _refused(request: Request, typed: Mapping[str, str], field_errors: Mapping[str, str]) -> Any:
    """The page with the validation errors. The device's response stays in the form unless it was invalid."""
    fields = {name: text for name, text in field_errors.items() if name != "credential"}
    if "credential" not in field_errors:
        return await _overview(request, typed, 422, errors=fields)
    again = {**typed, "credential": ""}
    return await _overview(request, again, 422, errors=fields, error="" if fields else enrolment.NOT_ADDED)


async def _overview(request: Request, typed: Mapping[str, str], status: int = 200, **context: Any) -> Any:
    known = await passkeys.of_user(request.user.id)
    options = json.dumps(webauthn.to_add(request.user, known))
    # Not beside an error: the form may hold a passkey that is on the device already and not stored here yet.
    signal = json.dumps(webauthn.to_signal(request.user, known)) if status == 200 else ""
    context = {"errors": {}, "error": "", "options": options, **await asking(request, typed), **context}
    context["signal"] = signal
    kept_in = {row.id: authenticators.name_of(row.aaguid) for row in known}
    return templates.page(request, "mfa/passkeys.html", status, passkeys=known, kept_in=kept_in, **context)


async def _own(request: Request) -> Any:
    wanted = urls.uuid_or_none(request.path_params["passkey_id"])
    own = [row for row in await passkeys.of_user(request.user.id) if row.id == wanted]
    if not own:
        raise Problem(404)
    return own[0]


route_patterns = [
    permissions.private(HERE, overview, permissions.RecentLogin),
    permissions.private(HERE, add, permissions.RecentLogin),
    permissions.private(redirects.PASSKEY_OFFER, offer),
    permissions.private(redirects.PASSKEY_OFFER, accept_offer),
    permissions.private(f"{redirects.PASSKEY_OFFER}/decline", decline_offer),
    permissions.private(f"{HERE}/{{passkey_id}}/remove", confirm_remove, permissions.RecentLogin),
    permissions.private(f"{HERE}/{{passkey_id}}/remove", remove, permissions.RecentLogin),
    permissions.public("/login/passkey", sign_in_page),
    permissions.public("/login/passkey", sign_in),
    permissions.private("/step-up/passkey", step_up_page),
    permissions.private("/step-up/passkey", step_up),
    permissions.no_authentication("/.well-known/passkey-endpoints", endpoints),
    permissions.no_authentication(RELATED, related_origins),
]
