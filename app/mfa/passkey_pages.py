"""/account/passkeys: add and remove them. /login/passkey and /step-up/passkey: the same forms, signed by a device.

The script `passkeys.js` puts into a hidden field what the device said, and sends an ordinary form. Without it nothing
of this is shown but the list.
Chapter: "The life of an account". Source: v5.0.0-6.5.6, v5.0.0-7.5.1; W3C Passkey Endpoints.
"""

import json
from typing import Annotated, Any

from pydantic import BaseModel, Field
from ravyn import Request, get, post

from app.auth import cookies, guards, sessions
from app.auth.challenges import see_other
from app.mfa import passkeys
from app.settings import get_settings
from app.web import client, forms, render, urls
from app.web.errors import Problem
from app.web.json_response import JSONResponse

HERE = "/account/passkeys"
NOT_ADDED = "The passkey was not added. Try once more; twenty are the most an account can have."


class AddForm(BaseModel):
    name: Annotated[str, forms.Line(1, 80)]
    credential: str = Field(min_length=1, max_length=passkeys.LONGEST)


class SignedForm(BaseModel):
    credential: str = ""
    next: str = ""


@get()
async def overview(request: Request) -> Any:
    return await _overview(request, client.current().words()["device"])


@post(status_code=303)
async def add(request: Request) -> Any:
    form = await forms.parse(request, AddForm)
    if form.data is None:
        faults = {name: text for name, text in form.errors.items() if name == "name"}
        return await _overview(request, form.values["name"], 422, errors=faults, error="" if faults else NOT_ADDED)
    if not await passkeys.add(request.user.id, request.user.sid, form.data.credential, form.data.name):
        return await _overview(request, form.data.name, 422, error=NOT_ADDED)
    return see_other(HERE, notice="passkey_added")


@get()
async def confirm_remove(request: Request) -> Any:
    return render.page(request, "mfa/remove_passkey.html", passkey=await _own(request))


@post(status_code=303)
async def remove(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    passkey = await _own(request)
    await passkeys.remove(request.user.id, passkey.id)
    return see_other(HERE, notice="passkey_removed")


@get()
async def sign_in_page(request: Request) -> Any:
    to = urls.local_path(request.query_params.get("next"))
    return see_other(to) if request.user.is_authenticated else _use_page(request, to, passkeys.SIGN_IN, "/login")


@post(status_code=303)
async def sign_in(request: Request) -> Any:
    form = await forms.parse(request, SignedForm, bound=False)
    to = urls.local_path(form.values["next"])
    access, refresh = cookies.read(request.scope)
    replaced = sessions.presented((access, "access"), (refresh, "refresh"))
    signed_in = await passkeys.sign_in(form.values["credential"], replaced)
    if signed_in is None:
        return see_other("/login/passkey", next=to, notice="passkey_not_good")
    response = see_other("/dashboard", notice="account_kept") if signed_in.kept else see_other(to)
    return cookies.remember(response, signed_in.pair)


@get()
async def step_up_page(request: Request) -> Any:
    to = urls.local_path(request.query_params.get("next"))
    return _use_page(request, to, passkeys.stepping_up(request.user.sid), "/step-up")


@post(status_code=303)
async def step_up(request: Request) -> Any:
    form = await forms.parse(request, SignedForm)
    to = urls.local_path(form.values["next"])
    pair = await passkeys.step_up(request.user.id, request.user.sid, form.values["credential"])
    if pair is None:
        return see_other("/step-up/passkey", next=to, notice="passkey_not_good")
    return cookies.remember(see_other(to), pair)


@get()
async def endpoints() -> Any:
    """Where a password manager leads its person to (W3C Passkey Endpoints)."""
    there = f"{get_settings().origin}{HERE}"
    return JSONResponse({"enroll": there, "manage": there})


def _use_page(request: Request, to: str, purpose: str, instead: str) -> Any:
    to_sign = json.dumps(passkeys.to_sign(purpose))
    return render.page(request, "mfa/use_passkey.html", to=to, to_sign=to_sign, instead=instead)


async def _overview(request: Request, name: str, status: int = 200, **context: Any) -> Any:
    known = await passkeys.of_user(request.user.id)
    options = json.dumps(passkeys.to_add(request.user, known))
    context = {"errors": {}, "error": "", "form": {"name": name}, "options": options, **context}
    return render.page(request, "mfa/passkeys.html", status, passkeys=known, **context)


async def _own(request: Request) -> Any:
    wanted = urls.uuid_or_none(request.path_params["passkey_id"])
    own = [row for row in await passkeys.of_user(request.user.id) if row.id == wanted]
    if not own:
        raise Problem(404)
    return own[0]


route_patterns = [
    guards.private(HERE, overview, guards.RecentLogin),
    guards.private(HERE, add, guards.RecentLogin),
    guards.private(f"{HERE}/{{passkey_id}}/remove", confirm_remove, guards.RecentLogin),
    guards.private(f"{HERE}/{{passkey_id}}/remove", remove, guards.RecentLogin),
    guards.public("/login/passkey", sign_in_page),
    guards.public("/login/passkey", sign_in),
    guards.private("/step-up/passkey", step_up_page),
    guards.private("/step-up/passkey", step_up),
    guards.impersonal("/.well-known/passkey-endpoints", endpoints),
]
