"""The JSON API of authentication under /api/auth: login, refresh, logout, who am I.

Chapter: "The JSON API". Patterns: login-endpoint, login-errors, refresh-endpoint, refresh-type-check,
protected.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from lilya.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from ravyn import Request, get, post

from app import db
from app.auth import authentication, challenges, cookies, keys, permissions
from app.auth.accounts import login_flow, logout_flow
from app.auth.roles import ROLES
from app.auth.sessions import rotation
from app.auth.sessions.rotation_policy import Decision
from app.auth.tokens import TokenPair
from app.web import errors
from app.web.json_response import JSONResponse


class LoginRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    email: str = Field(min_length=1, max_length=320)
    password: str = Field(min_length=1)


class RefreshRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    refresh_token: str


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tokens(Answer):
    """A token pair: the access token is for every request; the refresh token gets the next pair, once."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int = Field(description="seconds that the access token lives")


class Renewed(Answer):
    """The next token pair. If the refresh token came in a cookie, the tokens are in new cookies and not in the body."""

    access_token: str = ""
    refresh_token: str = ""
    token_type: Literal["bearer"]
    expires_in: int


class Me(Answer):
    """The user of the token, with the values of the database."""

    user_id: UUID
    email: str
    name: str
    role: Annotated[str, Field(json_schema_extra={"enum": [*ROLES]})]


@post(status_code=200)
async def login(request: Request, data: LoginRequest) -> Any:
    """The token pair for an address and a password; no cookie is set."""
    device = cookies.device(request.scope, db.utcnow())  # set by browsers only; API clients get no device cookie
    signed_in = await login_flow.login(data.email, data.password, device=device)
    if signed_in is None:
        return challenges.unauthorized(request, token_sent=False, detail="Invalid credentials.")
    if isinstance(signed_in, login_flow.PendingLogin):
        detail = "A second factor is required: send this ticket and a code to /api/auth/login/code."
        return challenges.unauthorized(
            request, token_sent=False, detail=detail, error="second_factor_required", ticket=signed_in.ticket
        )
    return JSONResponse(in_the_body(signed_in.pair))


@post(status_code=200)
async def refresh(request: Request, data: RefreshRequest | None = None) -> Any:
    """The next pair for a refresh token: from the body into the body, or from the cookie into new cookies."""
    if data is None and request.user.is_authenticated and not request.user.bearer:
        left = int((request.user.token.exp - db.utcnow()).total_seconds())
        return JSONResponse({"token_type": "bearer", "expires_in": left})  # still valid: a late request must not rotate
    from_cookie = None if request.user.bearer else cookies.read(request.scope)[1]
    raw = data.refresh_token if data else from_cookie
    outcome = await login_flow.refresh(raw, retried=request.headers.get("x-refresh-retry") == "1")
    if isinstance(outcome, rotation.Rejected):
        if outcome.decision is Decision.RETRY:
            detail = "A newer token was issued. Read the stored token again and repeat with X-Refresh-Retry: 1."
            return errors.answer(request, 409, detail, error="refresh_stale")
        if outcome.decision is Decision.UNPROVEN:
            await challenges.proof_missing(request, outcome.token)
        return challenges.unauthorized(request, token_sent=bool(raw), detail="Sign in again.", error="invalid_grant")
    if data:
        return JSONResponse(in_the_body(outcome.pair))
    body = {"token_type": "bearer", "expires_in": outcome.pair.expires_in}
    return cookies.set_tokens(JSONResponse(body), outcome.pair)


@post(status_code=200)
async def logout(request: Request, data: RefreshRequest | None = None) -> Any:
    """End the session of the token that was sent: in the body, as bearer or in a cookie. Repeating it is no error."""
    access, from_cookie = cookies.read(request.scope)
    bearer = request.headers.get("authorization", "").partition(" ")[2].strip()
    if data or bearer:
        held = rotation.presented((data.refresh_token if data else None, "refresh"), (bearer, "access"))
    else:
        held = rotation.presented((access, "access"), (from_cookie, "refresh"))
    try:
        await logout_flow.logout(held)
        response: Any = Response(status_code=204)
    except db.Unavailable:
        detail = "The session could not be ended on the server. Try again in a moment."
        response = errors.answer(request, 503, detail, headers={"Retry-After": "5"})
    if data or bearer or not (access or from_cookie):
        return response
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return cookies.delete_tokens(response)


@get()
async def me() -> Any:
    """The user of the token, with the values of the database."""
    return _about(authentication.current())


@get()
async def protected(request: Request) -> Any:
    """The protected route of Ravyn's JWT page: the same response behind the same permission as `me`."""
    return _about(request.user)


@get()
async def jwks() -> Any:
    """The public keys (RFC 7517)."""
    return JSONResponse(keys.jwks())


def _about(user: Any) -> Any:
    return JSONResponse({"user_id": str(user.id), "email": user.email, "name": user.name, "role": user.role})


def in_the_body(pair: TokenPair) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "token_type": "bearer",
        "expires_in": pair.expires_in,
    }


route_patterns = [
    permissions.public("/api/auth/login", login, answers={200: Tokens}),
    permissions.public("/api/auth/refresh", refresh, answers={200: Renewed}),
    permissions.public("/api/auth/logout", logout, answers={204: None}),
    permissions.private("/api/auth/me", me, answers={200: Me}),
    permissions.private("/api/protected", protected, answers={200: Me}),
    permissions.no_authentication("/.well-known/jwks.json", jwks),
]
