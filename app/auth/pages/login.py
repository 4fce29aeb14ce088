"""The login page, logout, /auth/resume and step-up.

Chapter: "The way of a request". Patterns: login-endpoint, login-errors, refresh-endpoint.
"""

from datetime import timedelta
from typing import Any

from lilya.responses import RedirectResponse
from pydantic import BaseModel, Field
from ravyn import Request, get, post, route

from app import db
from app.auth import challenges, cookies, permissions, redirects
from app.auth.accounts import demo_accounts, login_flow, logout_flow
from app.auth.errors import RetryLater
from app.auth.redirects import see_other
from app.auth.sessions import rotation
from app.auth.sessions.rotation_policy import Decision
from app.settings import get_settings
from app.web import client, errors, forms, notices, templates, urls

WRONG = "The e-mail address or the password is wrong, or the account cannot be used."
RESUME = "/auth/resume"
NOTICES = {Decision.REUSE: "session_ended", Decision.UNPROVEN: "device_unproven"}
QUICK_RESUMES = 5  # as many refreshes in a row within seconds: the browser refuses cookies, or tokens expire at once
ENDING = timedelta(minutes=5)  # before its absolute end, a session can be replaced by a new sign-in (session_end.js)

# Notices of an e-mailed link that has done its work. A person who is still signed in here is signed in to another
# account, and would take it for the one that the link was for.
BY_LINK = frozenset({"confirmed", "password_reset", "email_changed"})


class LoginForm(BaseModel):
    email: str = Field(min_length=1, max_length=320)
    password: str = Field(min_length=1)
    next: str = ""
    offer: str = ""


class StepUpForm(BaseModel):
    password: str = Field(min_length=1)
    next: str = ""


@get()
async def login_page(request: Request) -> Any:
    to = urls.local_path(request.query_params.get("next"))
    user = request.user
    if user.is_authenticated and notices.code_of(request.scope) not in BY_LINK and not _is_ending(user):
        return see_other(to)
    return _login_page(request, {"email": "", "next": to})


@post(status_code=200)
async def login(request: Request) -> Any:
    form = await forms.parse(request, LoginForm, bound=False)
    shown = {"email": form.values.get("email", ""), "next": urls.local_path(form.values.get("next"))}
    if form.data is None:
        return _login_page(request, shown, status=422, errors=form.errors)
    return await sign_in(request, form.data.email, form.data.password, shown, offers=bool(form.data.offer))


async def sign_in(request: Request, email: str, password: str, shown: dict[str, str], *, offers: bool = False) -> Any:
    """The answer to an address and a password: cookies, the second factor, or the form again with what was typed.

    `offers`: this browser could add a passkey.
    """
    access, refresh = cookies.read(request.scope)
    replaced = rotation.presented((access, "access"), (refresh, "refresh"))
    try:
        device = cookies.device_or_new(request.scope, db.utcnow())
        signed_in = await login_flow.login(email, password, replaced, device, offers=offers)
    except RetryLater as error:  # the form again, so that nothing is typed twice
        return _login_page(request, shown, **challenges.form_again(request, error))
    if signed_in is None:
        return _login_page(request, shown, status=422, error=WRONG)
    if isinstance(signed_in, login_flow.PendingLogin):
        return cookies.set_ticket(see_other("/login/code", next=shown["next"]), signed_in.ticket)
    return redirects.signed_in(signed_in, shown["next"], device, cookies.PASSWORD)


@post(status_code=303)
async def logout(request: Request) -> Any:
    access, refresh = cookies.read(request.scope)
    try:
        await logout_flow.logout(rotation.presented((access, "access"), (refresh, "refresh")))
    except db.Unavailable:
        detail = "You are signed out here, but the session could not be ended on the server. Sign in later to end it."
        return cookies.delete_tokens(
            errors.answer(request, 503, detail, headers={"Retry-After": "5", **redirects.CLEAR})
        )
    return redirects.signed_out("signed_out")


@route(methods=["GET", "POST", "PUT", "PATCH", "DELETE"], status_code=200)
async def resume(request: Request) -> Any:
    """Refresh the tokens, then redirect to `next`. A submitted form is sent again with 307."""
    safe = request.method == "GET"
    raw = request.query_params.get("next")
    to = urls.local_path(raw) if safe else urls.posted_path(raw)
    if request.user.is_authenticated:  # another tab has refreshed already: do not rotate again
        return _redirect(safe, to)
    _, refresh = cookies.read(request.scope)
    if not refresh or request.user.session_ended or _must_not_rotate(request):
        return _to_login(request, to) if safe else redirects.form_not_saved(request)
    outcome = await login_flow.refresh(refresh, marker=request.query_params.get("again", ""))
    if isinstance(outcome, rotation.Rejected):
        if outcome.decision is Decision.RETRY:
            again = {"next": to, "again": outcome.marker}
            return see_other(RESUME, **again) if safe else redirects.same_method(RESUME, **again)
        if outcome.decision is Decision.UNPROVEN:
            await challenges.proof_missing(request, outcome.token)
        return _to_login(request, to, **_why(outcome.decision)) if safe else redirects.form_not_saved(request)
    if outcome.quick >= QUICK_RESUMES:
        return see_other("/login", next=to, notice="cookies") if safe else redirects.form_not_saved(request)
    return cookies.set_tokens(_redirect(safe, to), outcome.pair)


def _to_login(request: Request, to: str, **why: str) -> Any:
    return cookies.discard_cached_pages(see_other("/login", next=to, **why), request.scope)


@get()
async def step_up_page(request: Request) -> Any:
    return _step_up_page(request, urls.local_path(request.query_params.get("next")))


@post(status_code=200)
async def step_up(request: Request) -> Any:
    form = await forms.parse(request, StepUpForm)
    to = urls.local_path(form.values.get("next"))
    if form.data is None:
        return _step_up_page(request, to, status=422, errors=form.errors)
    try:
        pair = await login_flow.step_up(request.user.id, request.user.sid, form.data.password)
    except RetryLater as error:
        return _step_up_page(request, to, **challenges.form_again(request, error))
    if pair is None:
        return _step_up_page(request, to, status=422, error="The password is wrong.")
    return cookies.set_tokens(see_other(to), pair)


def _is_ending(user: Any) -> bool:
    return bool(user.ends_at - db.utcnow() <= ENDING)


def _login_page(request: Request, form: dict[str, str], status: int = 200, **context: Any) -> Any:
    # Never to another machine in the network: the demo passwords are for the developer's own browser.
    offered = get_settings().is_development and client.is_this_machine(request.scope)
    shown = [account._asdict() for account in demo_accounts.ACCOUNTS] if offered else []
    context = {"errors": {}, "error": "", "method": cookies.method(request.scope), **context}
    return templates.page(request, "auth/login.html", status, form=form, demo_accounts=shown, **context)


def _step_up_page(request: Request, to: str, status: int = 200, **context: Any) -> Any:
    return templates.page(
        request, "auth/step_up.html", status, form={"next": to}, **{"errors": {}, "error": "", **context}
    )


def _why(decision: Decision) -> dict[str, str]:
    """The notice that the login page shows after a refused refresh, if any."""
    if (
        decision is Decision.INVALID and get_settings().is_development
    ):  # a browser keeps one jar for all ports of a host
        return {"notice": "another_copy"}
    return {"notice": NOTICES[decision]} if decision in NOTICES else {}


def _redirect(safe: bool, to: str) -> Any:
    return RedirectResponse(to, status_code=303 if safe else 307)


def _must_not_rotate(request: Request) -> bool:
    """True for HEAD and for requests that another site embeds: only a navigation or a page of this site may rotate."""
    header = request.headers.get
    elsewhere = header("sec-fetch-site", "none") not in ("same-origin", "none")
    return urls.is_head_request(request.scope) or (elsewhere and header("sec-fetch-dest") != "document")


route_patterns = [
    permissions.public("/login", login_page),
    permissions.public("/login", login),
    permissions.public("/logout", logout),
    permissions.public(RESUME, resume),
    permissions.private("/step-up", step_up_page),
    permissions.private("/step-up", step_up),
]
