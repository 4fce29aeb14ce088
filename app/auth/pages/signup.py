"""The signup page, address confirmation and password reset: pages for users without a session.

Every form has the same response for known and unknown addresses. No page logs a user in: an e-mailed link proves access
to the mailbox, not who uses the browser. GET changes nothing, because mail scanners open links.
Chapter: "Transactional e-mail". Source: v5.0.0-6.3.8, v5.0.0-6.4.3; OWASP Forgot Password.
"""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from ravyn import Request, get, post

from app import db
from app.auth import challenges, cookies, email_links, passwords, permissions
from app.auth.accounts import email_change, password_reset, signup
from app.auth.accounts.signup import Outcome
from app.auth.errors import RetryLater
from app.auth.redirects import see_other
from app.settings import get_settings
from app.web import errors, forms, lengths, templates
from app.web.email_address import Address, readable
from app.web.errors import Problem

# The URL's token must not leak in a Referer header. With `no-referrer`, the page's own form would send `Origin: null`.
OPENED_BY_LINK = {"Referrer-Policy": "strict-origin"}
# page -> the purposes of the links that open it
PURPOSES = {
    "confirm": (email_links.REGISTER, email_links.CHANGE_EMAIL),
    "reset": (email_links.RESET, email_links.INVITE),
    "undo": (email_links.UNDO_EMAIL,),
}
NOT_YOURS = (
    "This is not the password of this sign-up. Somebody signed up with this address more than once: "
    "try the link in the other e-mail."
)


class Registration(BaseModel):
    name: Annotated[str, forms.Line(1, lengths.NAME)]
    email: Address
    password: str = Field(min_length=1)
    homepage: str = ""  # the honeypot: hidden, so a person leaves it empty


class Confirmation(BaseModel):
    token: str = ""
    password: str = ""


class Mailbox(BaseModel):
    email: Address


class NewPassword(BaseModel):
    token: str = ""
    password: str = Field(min_length=1)


@get()
async def register_page(request: Request) -> Any:
    if request.user.is_authenticated:
        return see_other("/dashboard")
    signup.check_open()
    return _form(request, "register", {"name": "", "email": ""})


@post(status_code=303)
async def register(request: Request) -> Any:
    if request.user.is_authenticated:
        return see_other("/dashboard")
    signup.check_open()
    form = await forms.parse(request, Registration, bound=False)
    shown, field_errors = {"name": form.values["name"], "email": form.values["email"]}, form.errors
    if form.values["password"]:
        field_errors = field_errors | _password_error(
            form.values["password"], readable(form.values["email"]), form.values["name"]
        )
    if form.data is None or field_errors:
        return _form(request, "register", shown, status=422, errors=field_errors)
    try:
        await signup.request(form.data.email, form.data.name, form.data.password, form.data.homepage)
    except RetryLater as error:
        return _form(request, "register", shown, **challenges.form_again(request, error))
    return see_other("/register/sent")


@get()
async def confirm_page(request: Request) -> Any:
    token = request.query_params.get("token", "")
    if link := await email_links.find(token, email_links.CHANGE_EMAIL, db.utcnow()):
        shown = {"token": token, "email": link.email}
        return _opened(request, "verify_email", 200, form=shown, needs_password=False, new_account=False)
    return await _confirm_page(request, token)


@post(status_code=303)
async def confirm(request: Request) -> Any:
    form = await forms.parse(request, Confirmation, bound=False)
    token, password, user = form.values["token"], form.values["password"], request.user
    signed_in = user.is_authenticated
    now = db.utcnow()
    device = cookies.device(request.scope, now)
    if link := await email_change.confirm_email(token, now, keep=user.sid if signed_in else None, device=device):
        to = "/account" if signed_in and user.id == link.user_id else "/login"
        return see_other(to, notice="email_changed")
    try:
        outcome = await signup.confirm(token, password)
    except RetryLater as error:
        return await _confirm_page(request, token, **challenges.form_again(request, error))
    if outcome is Outcome.NOT_YOURS:
        messages = {"error": NOT_YOURS} if password else {"errors": {"password": "Please fill this in."}}
        return await _confirm_page(request, token, 422, **messages)
    if outcome is Outcome.CONFIRMED:
        return see_other("/login", notice="confirmed")
    return await link_expired(request, "confirm", token)


@get()
async def resend_page(request: Request) -> Any:
    signup.check_open()
    return _form(request, "address", {"email": ""})


@get()
async def forgot_page(request: Request) -> Any:
    return _form(request, "address", {"email": ""})


@post(status_code=303)
async def resend(request: Request) -> Any:
    signup.check_open()
    return await _request_email(request, signup.resend, "/verify-email/sent")


@post(status_code=303)
async def forgot(request: Request) -> Any:
    return await _request_email(request, password_reset.request, "/forgot-password/sent")


@get()
async def sent_page(request: Request) -> Any:
    """The page after the form: the same text whether an e-mail is sent or not."""
    what = request.scope["path"].split("/")[1]
    if what != "forgot-password":
        signup.check_open()
    return templates.page(request, "auth/sent.html", what=what)


@get()
async def reset_page(request: Request) -> Any:
    token = request.query_params.get("token", "")
    found = await password_reset.find(token, db.utcnow())
    return _reset_page(request, token, *found) if found else await link_expired(request, "reset", token)


@post(status_code=303)
async def reset(request: Request) -> Any:
    form = await forms.parse(request, NewPassword, bound=False)
    token, password = form.values["token"], form.values["password"]
    found = await password_reset.find(token, db.utcnow())
    if found is None:
        return await link_expired(request, "reset", token)
    field_errors = form.errors or _password_error(password, found[0].email, found[0].name)
    if field_errors:
        return _reset_page(request, token, *found, status=422, errors=field_errors)
    try:
        device = cookies.device_or_new(request.scope, db.utcnow())
        done = await password_reset.reset(token, password, device)
    except RetryLater as error:
        return _reset_page(request, token, *found, **challenges.form_again(request, error))
    if not done:
        return await link_expired(request, "reset", token)
    return cookies.set_device(see_other("/login", notice="password_reset"), device, db.utcnow())


async def _request_email(request: Request, enqueue: Any, then: str) -> Any:
    form = await forms.parse(request, Mailbox, bound=False)
    if form.data is None:
        return _form(request, "address", form.values, status=422, errors=form.errors)
    try:
        await enqueue(form.data.email)
    except RetryLater as error:
        return _form(request, "address", form.values, **challenges.form_again(request, error))
    return see_other(then)


async def _confirm_page(request: Request, token: str, status: int = 200, **context: Any) -> Any:
    waiting = await signup.find(token, db.utcnow())
    if waiting is None:
        return await link_expired(request, "confirm", token)
    context |= {"form": {"token": token, "email": waiting.row.email}, "needs_password": waiting.needs_password}
    return _opened(request, "verify_email", status, new_account=True, **context)


def _reset_page(request: Request, token: str, user: Any, link: Any, status: int = 200, **context: Any) -> Any:
    context |= {"form": {"token": token, "email": user.email}, "first": link.purpose == email_links.INVITE}
    context |= {"undoes": password_reset.undoes_second_factor(user, db.utcnow()), "shortest": _shortest()}
    return _opened(request, "reset_password", status, **context)


def _opened(request: Request, name: str, status: int, **context: Any) -> Any:
    headers = OPENED_BY_LINK | context.pop("headers", {})
    return templates.page(request, f"auth/{name}.html", status, headers, **{"errors": {}, "error": "", **context})


async def link_expired(request: Request, what: str, token: str) -> Any:
    """The page for a link that was already used, has expired, is malformed or never existed."""
    done = await email_links.was_used(token, *PURPOSES[what])
    if not errors.wants_html(request.scope):
        raise Problem(422, "This link was already used." if done else "This link is not valid, or not any more.")
    return _opened(request, "link_expired", 200 if done else 422, what=what, done=done)


def _form(request: Request, name: str, form: dict[str, str], status: int = 200, **context: Any) -> Any:
    context = {"errors": {}, "error": "", "shortest": _shortest(), **context}
    return templates.page(request, f"auth/{name}.html", status, form=form, **context)


def _shortest() -> int:
    return get_settings().password_min_length


def _password_error(password: str, *about: str) -> dict[str, str]:
    error = passwords.validation_error(password, about=about)
    return {"password": error} if error else {}


route_patterns = [
    permissions.public("/register", register_page),
    permissions.public("/register", register),
    permissions.public("/register/sent", sent_page),
    permissions.public("/verify-email", confirm_page),
    permissions.public("/verify-email", confirm),
    permissions.public("/verify-email/resend", resend_page),
    permissions.public("/verify-email/resend", resend),
    permissions.public("/verify-email/sent", sent_page),
    permissions.public("/forgot-password", forgot_page),
    permissions.public("/forgot-password", forgot),
    permissions.public("/forgot-password/sent", sent_page),
    permissions.public("/reset-password", reset_page),
    permissions.public("/reset-password", reset),
]
