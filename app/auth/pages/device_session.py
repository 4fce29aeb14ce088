"""The two addresses where a browser with DBSC binds its session to the device, and renews it. It asks by itself.

401 ends the bound session in the browser, so it means that the session has ended. What passes (a limit, a database
that is down, a race) is 503, which keeps it. The chapter has a table of what Chromium does with each answer.
Chapter: "Device-bound sessions". Source: W3C Device Bound Session Credentials, sections 8 and 9.
"""

from typing import Any

from ravyn import Request, post

from app import db
from app.auth import cookies, permissions
from app.auth.accounts import login_flow
from app.auth.errors import RetryLater
from app.auth.sessions import device_binding, rotation
from app.auth.sessions.rotation_policy import Decision
from app.web import errors
from app.web.json_response import JSONResponse

RENEW = f"{cookies.REGISTER_DEVICE}/refresh"
# One for all sessions of a browser: a new sign-in takes the place of the one before, instead of standing beside it.
IDENTIFIER = "session"
# Path -> the headers by which `SameOrigin` knows that the browser itself asks (Fetch, section 2.2.2: not safelisted).
PREFLIGHTED = {
    cookies.REGISTER_DEVICE: (b"secure-session-response",),
    RENEW: (b"secure-session-response", b"sec-secure-session-id"),
}


@post(status_code=200)
async def register(request: Request) -> Any:
    """Bind the session of these cookies to the key in the proof. 401 for everything else, and nothing changes."""
    user = request.user
    held = rotation.presented((cookies.read(request.scope)[1], "refresh"))
    bound = user.is_authenticated and not user.bearer and [token.sid for token in held] == [user.sid]
    if not bound or not await device_binding.bind(user.sid, _proof(request)):
        return errors.answer(request, 401, "This session cannot be bound to a device.")
    return _instructions(device_binding.challenge(user.sid, held[0].gen, db.utcnow()))


@post(status_code=200)
async def renew(request: Request) -> Any:
    """The next pair, in cookies: with a proof of the device, or 403 with what it has to sign."""
    refresh = cookies.read(request.scope)[1]
    try:
        outcome = await login_flow.refresh(refresh, proof=_proof(request))
    except RetryLater as error:
        return _later(request, error.seconds)
    if isinstance(outcome, rotation.Rotated):
        return cookies.set_tokens(_instructions(outcome.challenge), outcome.pair)
    if outcome.decision is Decision.UNPROVEN:
        headers = {"Secure-Session-Challenge": _challenge(outcome.challenge)}
        return errors.answer(request, 403, "Sign the challenge with the key of this session.", headers=headers)
    if outcome.decision is Decision.RETRY:
        return _later(request, 1)
    return errors.answer(request, 401, "Sign in again.")


def _proof(request: Request) -> str:
    return str(request.headers.get("secure-session-response", ""))


def _later(request: Request, seconds: int) -> Any:
    return errors.answer(request, 503, "Try again in a moment.", headers={"Retry-After": str(seconds)})


def _challenge(challenge: str) -> str:
    return f'"{challenge}";id="{IDENTIFIER}"'


def _instructions(challenge: str) -> Any:
    """What the browser binds: the access cookie, with the attributes that it is set with, everywhere but /static."""
    credential = {
        "type": "cookie",
        "name": cookies.access_name(),
        "attributes": "Path=/; Secure; HttpOnly; SameSite=Strict",
    }
    scope = {"include_site": False, "scope_specification": [{"type": "exclude", "domain": "*", "path": "/static"}]}
    instructions = {"session_identifier": IDENTIFIER, "refresh_url": RENEW, "scope": scope, "credentials": [credential]}
    response = JSONResponse(instructions)
    if challenge:
        response.headers["Secure-Session-Challenge"] = _challenge(challenge)
    return response


route_patterns = [
    permissions.public(cookies.REGISTER_DEVICE, register),
    permissions.public(RENEW, renew),
]
