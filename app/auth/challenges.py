"""Responses to authentication errors: redirects for pages, status codes for the API, a bounce page for external links.

Chapter: "The way of a request". Source: RFC 6750 section 3, RFC 9470 section 3.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from cachetools import LRUCache

from app import db
from app.audit import events
from app.auth import authentication, cookies
from app.auth.errors import (
    AuthError,
    DeviceBindingRequired,
    Forbidden,
    PasswordChangeRequired,
    RegistrationClosed,
    RetryLater,
    SecondFactorRequired,
    SessionEnded,
    StepUpRequired,
    TooManyAttempts,
    Unavailable,
)
from app.auth.rate_limit import counters
from app.auth.redirects import form_not_saved, same_method, see_other
from app.auth.sessions import rotation
from app.observability import logs, metrics
from app.settings import get_settings
from app.web import errors, templates, urls

log = logs.get("auth")
SAFE = ("GET", "HEAD")
CLOSED = {
    "invited": "Accounts are created by invitation only. Ask an administrator of this site for one.",
    "closed": "This site takes no new accounts.",
}
A_MINUTE = timedelta(minutes=1)
NOT_BOUND = (
    "Administrators of this site need a session that is bound to their device. If you have just signed in, this page "
    "loads again by itself. Otherwise sign in with a browser that binds sessions, such as Chrome on Windows."
)
SKIPPED = ("server_error", "unreachable", "quota_exceeded")  # why a browser did not refresh a bound session

_recorded: LRUCache[UUID, str] = LRUCache(10_000)  # user or session -> the minute of its last record here


async def answer(request: Any, error: AuthError) -> Any:
    """The response to an error of `auth.errors`; called by the error boundary."""
    if isinstance(error, RetryLater):
        detail, headers = retry_later(error)
        return errors.answer(request, error.status, detail, headers=headers)
    user, page = authentication.requester(request, error), errors.wants_html(request.scope)
    if isinstance(error, RegistrationClosed):
        return _registration_closed(request, page)
    if isinstance(error, Unavailable):
        detail = "We cannot check your session right now. You are still signed in: please try again in a moment."
        return errors.answer(request, 503, detail, headers={"Retry-After": "5"})
    if isinstance(error, Forbidden):
        await _record_once(events.ACCESS_DENIED, user.id, user_id=user.id, actor_id=user.id, session_id=user.sid)
        return errors.answer(request, 403, "You are signed in, but you are not allowed to do this.")
    if isinstance(error, StepUpRequired):
        return _to_step_up(request) if page else _step_up_required(request)
    if isinstance(error, PasswordChangeRequired):
        return _to_password_page(request) if page else _password_change_required(request)
    if isinstance(error, SecondFactorRequired):
        return _to_second_factor_page() if page else _second_factor_required(request)
    if isinstance(error, DeviceBindingRequired):
        return _device_binding_required(request, user)
    if not page:
        return unauthorized(request, token_sent=user.token_sent, **_why(error, user))
    return await _to_login(request, user, ended=isinstance(error, SessionEnded))


def _device_binding_required(request: Any, user: Any) -> Any:
    """The browser binds a session beside its first page: within a minute of the sign-in, the page loads again."""
    young = db.utcnow() - user.auth_time < A_MINUTE
    headers = {"Refresh": "2"} if young and request.method in SAFE else {}
    return errors.answer(request, 403, NOT_BOUND, headers=headers, error="device_binding_required")


async def proof_missing(request: Any, token: Any) -> None:
    """Record `session_proof_missing`: a bound session was to be refreshed without its device (v5.0.0-16.3.3).

    Raises Problem 503 if the browser says that it could not refresh the session just now: the session goes on, and
    nothing is issued until the device has signed. Anybody may send that header; all it brings is this response.
    """
    skipped = str(request.headers.get("secure-session-skipped", "")).partition(";")[0]
    about = {"user_id": UUID(token.sub), "session_id": token.sid, "detail": skipped if skipped in SKIPPED else ""}
    await _record_once(events.SESSION_PROOF_MISSING, token.sid, **about)
    if skipped:
        detail = "This device could not confirm your session just now. You are still signed in: try again in a moment."
        raise errors.Problem(503, detail, headers={"Retry-After": "5"})


async def _record_once(event: str, key: UUID, **values: Any) -> None:
    """Record an event once per `key` and minute across all workers, so repeated requests do not fill the log.

    If the database does not answer, the response stays the same: a later attempt would be refused as well.
    """
    now = db.utcnow()
    minute = f"{now:%Y-%m-%d %H:%M}"
    if _recorded.get(key) == minute:
        return
    _recorded[key] = minute
    try:
        counter = counters.key(event.replace("_", " "), str(key), minute)
        if (await counters.add({counter: A_MINUTE}, 1, now))[counter].count == 1:
            await events.record(event, **values)
    except db.Unavailable:
        log.warning("audit_event_unrecorded", refused=event, about=logs.pseudonym(key))  # the audit log takes no writes


def _why(error: AuthError, user: Any) -> dict[str, str]:
    """For a page's script, which cannot see the cookies: whether opening a page would renew the session, or not."""
    if isinstance(error, SessionEnded):
        return {"error": "session_ended"}
    return {"error": "token_expired"} if user.refresh_cookie else {}


def unauthorized(request: Any, *, token_sent: bool, detail: str = "Sign in to continue.", **members: Any) -> Any:
    """401 with the challenge of RFC 6750 section 3: it has an error code only if a token was sent."""
    challenge = 'Bearer error="invalid_token"' if token_sent else "Bearer"
    return errors.answer(request, 401, detail, headers={"WWW-Authenticate": challenge}, **members)


def retry_later(error: RetryLater) -> tuple[str, dict[str, str]]:
    """The message and the Retry-After header. They do not depend on whether the account exists."""
    if error.seconds < 120:
        wait = "a second" if error.seconds == 1 else f"{error.seconds} seconds"
    else:
        wait = f"{-(-error.seconds // 60)} minutes"
    why = "Too many attempts" if isinstance(error, TooManyAttempts) else "Too many people are signing in right now"
    metrics.RATE_LIMITED.labels(type(error).__name__).inc()
    return f"{why}. Please try again in {wait}.", {"Retry-After": str(error.seconds)}


def form_again(request: Any, error: RetryLater) -> dict[str, Any]:
    """Arguments to render a page's form again with the values sent. An API client gets a problem document: raises."""
    if not errors.wants_html(request.scope):
        raise error
    sentence, headers = retry_later(error)
    return {"status": error.status, "headers": headers, "error": sentence}


async def _to_login(request: Any, user: Any, ended: bool) -> Any:
    target = _requested_path(request)
    if request.method not in SAFE:
        if user.refresh_cookie and not ended:
            return same_method("/auth/resume", next=target)
        return form_not_saved(request)
    if _followed_from_elsewhere(request, user):
        return templates.page(request, "auth/bounce.html", url=urls.local_path(target, default="/"))
    if await _cookies_refused(request):
        return see_other("/login", next=target, notice="cookies")
    if user.refresh_cookie and not ended:
        return see_other("/auth/resume", next=target)
    return cookies.discard_cached_pages(see_other("/login", next=target), request.scope)


def _followed_from_elsewhere(request: Any, user: Any) -> bool:
    """A link on another site was followed: SameSite=Strict withholds our cookies.

    The bounce page reloads from this site, and the browser then sends them.
    """
    header = request.headers.get
    return (
        not user.token_sent
        and not user.refresh_cookie
        and header("sec-fetch-site") == "cross-site"
        and header("sec-fetch-mode") == "navigate"
        and header("sec-fetch-dest", "document") == "document"
    )


def without_cookies(request: Any) -> bool:
    """Whether the request comes from a page of this site and has none of our cookies."""
    site = request.headers.get("sec-fetch-site") or ("same-origin" if request.headers.get("referer") else "")
    return site == "same-origin" and cookies.brings_none(request.scope)


async def _cookies_refused(request: Any) -> bool:
    """Whether the browser refuses cookies: it got a session just now and sent none. Without this, login would loop."""
    if not without_cookies(request):
        return False
    try:
        return await rotation.was_never_confirmed(db.utcnow())
    except db.Unavailable:
        return False  # the login page without the hint about cookies


def _to_step_up(request: Any) -> Any:
    """GET and POST of a confirmation page share one path: a POST that came too late shows the page again, unsaved."""
    return see_other("/step-up", next=_requested_path(request))


def _step_up_required(request: Any) -> Any:
    seconds = get_settings().step_up_seconds
    challenge = f'Bearer error="insufficient_user_authentication", max_age="{seconds}"'
    headers = {"WWW-Authenticate": challenge}
    return errors.answer(
        request, 401, "Confirm your password first.", headers=headers, error="insufficient_user_authentication"
    )


def _to_password_page(request: Any) -> Any:
    """Never 307: it would send the form of another page to the password page."""
    return see_other("/account/password", notice="password_change_required")


def _password_change_required(request: Any) -> Any:
    detail = "Choose a new password first, at /account/password."
    return errors.answer(request, 403, detail, error="password_change_required")


def _registration_closed(request: Any, page: bool) -> Any:
    if page:
        return templates.page(request, "auth/registration_closed.html", 403)
    return errors.answer(request, 403, CLOSED[get_settings().registration], error="registration_closed")


def _to_second_factor_page() -> Any:
    return see_other("/account/second-factor", notice="second_factor_required")


def _second_factor_required(request: Any) -> Any:
    detail = "Turn on a second factor first, at /account/second-factor."
    return errors.answer(request, 403, detail, error="second_factor_required")


def _requested_path(request: Any) -> str:
    query = request.scope["query_string"].decode("ascii", "replace")
    return f"{request.scope['path']}?{query}" if query else str(request.scope["path"])
