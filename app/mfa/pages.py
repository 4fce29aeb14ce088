"""Second factor pages: /login/code, and /account/second-factor with recovery codes.

Chapter: "The life of an account". Source: v5.0.0-6.3.3, v5.0.0-7.5.1.
"""

from collections.abc import Awaitable, Callable, Mapping
from textwrap import wrap
from typing import Any
from uuid import UUID

from markupsafe import Markup
from pydantic import BaseModel, Field
from ravyn import Request, get, post

from app import db
from app.auth import challenges, cookies, mfa_ticket, permissions, redirects
from app.auth.errors import RetryLater
from app.auth.redirects import see_other
from app.auth.sessions import rotation
from app.mfa import enrolment, second_factor, totp
from app.mfa.proof_form import ProofForm, asking
from app.mfa.proofs import WRONG, Proof
from app.web import forms, lengths, templates, urls

HERE = "/account/second-factor"
OVER = (
    "This page had expired or belonged to another session. Scan the new QR code and delete the old entry on your phone."
)
REPLACED = (
    "Those codes were replaced by newer ones, or two-factor authentication was turned off. Create new codes and "
    "save them."
)


class SignInForm(BaseModel):
    code: str = Field(min_length=1, max_length=lengths.CODE)
    next: str = ""
    offer: str = ""


class SavedForm(BaseModel):
    shown: str = ""


class TurnOnForm(ProofForm):
    offer: str = Field(default="", max_length=500)


@get()
async def sign_in_page(request: Request) -> Any:
    to = urls.local_path(request.query_params.get("next"))
    if request.user.is_authenticated:
        return see_other(to)
    if mfa_ticket.user_id_of(cookies.read_ticket(request.scope)) is None:
        why = "cookies" if challenges.without_cookies(request) else "sign_in_again"
        return see_other("/login", next=to, notice=why)
    return _sign_in_page(request, to)


@post(status_code=200)
async def sign_in(request: Request) -> Any:
    form = await forms.parse(request, SignInForm, bound=False)
    to = urls.local_path(form.values.get("next"))
    if form.data is None:
        return _sign_in_page(request, to, status=422, errors=form.errors)
    access, refresh = cookies.read(request.scope)
    replaced = rotation.presented((access, "access"), (refresh, "refresh"))
    try:
        device = cookies.device_or_new(request.scope, db.utcnow())
        ticket, offers = cookies.read_ticket(request.scope), bool(form.data.offer)
        signed_in = await second_factor.sign_in(ticket, form.data.code, replaced, device, offers=offers)
    except second_factor.TicketExpired:
        return cookies.delete_ticket(see_other("/login", next=to, notice="sign_in_again"))
    except RetryLater as error:
        return _sign_in_page(request, to, **challenges.form_again(request, error))
    if signed_in is None:
        return _sign_in_page(request, to, status=422, errors={"code": WRONG})
    return cookies.delete_ticket(redirects.signed_in(signed_in, to, device, cookies.PASSWORD))


@get()
async def overview(request: Request) -> Any:
    return await _overview(request, {})


@post(status_code=200)
async def turn_on(request: Request) -> Any:
    """Show the recovery codes. This is the only time: they are stored as digests."""
    form = await forms.parse(request, TurnOnForm)
    user = request.user
    if user.second_factor:
        return see_other(HERE)
    if form.data is None:
        return await _overview(request, form.values, 422, errors=form.errors)
    secret = enrolment.offered(form.data.offer, user.sid)
    if secret is None:
        return await _overview(request, {}, 422, error=OVER)
    try:
        proof = form.data.proof()
        done = await enrolment.turn_on(user.id, user.sid, secret, form.data.code, proof._replace(code=""))
    except RetryLater as error:
        return await _overview(request, form.values, **challenges.form_again(request, error))
    if isinstance(done, dict):
        return await _overview(request, form.values, 422, errors=done)
    return cookies.set_tokens(_recovery_codes(request, done.recovery_codes), done.pair)


@post(status_code=200)
async def new_recovery_codes(request: Request) -> Any:
    made = await _proved(request, enrolment.new_recovery_codes)
    return _recovery_codes(request, *made) if isinstance(made, enrolment.NewCodes) else made


@post(status_code=303)
async def save_recovery_codes(request: Request) -> Any:
    """Requires no second proof: only the page with the codes, which required one, contains the form's signed value."""
    form = await forms.parse(request, SavedForm)
    if await enrolment.save_recovery_codes(request.user.id, form.values["shown"]):
        return see_other(HERE, notice="recovery_codes_saved")
    return await _overview(request, {}, 422, error=REPLACED)


@post(status_code=303)
async def turn_off(request: Request) -> Any:
    return await _proved(request, enrolment.turn_off) or see_other(HERE, notice="second_factor_off")


async def _proved(request: Request, do: Callable[[UUID, UUID, Proof], Awaitable[Any]]) -> Any:
    """The result of `do` for a valid proof; otherwise the page with the validation errors."""
    form = await forms.parse(request, ProofForm)
    if form.data is None:
        return await _overview(request, form.values, 422, errors=form.errors)
    try:
        done = await do(request.user.id, request.user.sid, form.data.proof())
    except RetryLater as error:
        return await _overview(request, form.values, **challenges.form_again(request, error))
    return await _overview(request, form.values, 422, errors=done) if isinstance(done, dict) and done else done


def _sign_in_page(request: Request, to: str, status: int = 200, **context: Any) -> Any:
    """Shows the field for a recovery code if the address says so; the form accepts both kinds of code either way."""
    context = {"errors": {}, "error": "", **context}
    form = {"next": to, "recovery": request.query_params.get("recovery") == "yes"}
    return templates.page(request, "mfa/sign_in.html", status, form=form, **context)


async def _overview(request: Request, typed: Mapping[str, str], status: int = 200, **context: Any) -> Any:
    """`typed`: the submitted values. The code and the scanned secret stay in the form."""
    user, context = request.user, {"errors": {}, "error": "", **await asking(request, typed), **context}
    if user.second_factor:
        left = await second_factor.recovery_codes_left(user.id)
        short = await second_factor.has_short_secret(user.id)
        return templates.page(request, "mfa/on.html", status, left=left, short=short, **context)
    offer = enrolment.offer(user.sid, typed.get("offer", ""))
    address = totp.provisioning_uri(offer.secret, user.email, templates.APP_NAME)
    picture = Markup(totp.qr_code(address))  # noqa: S704 - SVG shapes made by the library: contains no user input
    context |= {"address": address, "picture": picture, "offer": offer, "secret": " ".join(wrap(offer.secret, 4))}
    return templates.page(request, "mfa/off.html", status, **context)


def _recovery_codes(request: Request, made: list[str], shown: str = "") -> Any:
    """`shown`: the signed value of new codes that are not saved yet."""
    return templates.page(request, "mfa/recovery_codes.html", recovery_codes=made, shown=shown)


route_patterns = [
    permissions.public("/login/code", sign_in_page),
    permissions.public("/login/code", sign_in),
    permissions.private(HERE, overview, permissions.RecentLogin),
    permissions.private(HERE, turn_on, permissions.RecentLogin),
    permissions.private(f"{HERE}/recovery-codes", new_recovery_codes, permissions.RecentLogin),
    permissions.private(f"{HERE}/recovery-codes/saved", save_recovery_codes),
    permissions.private(f"{HERE}/off", turn_off, permissions.RecentLogin),
]
