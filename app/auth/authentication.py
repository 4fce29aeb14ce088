"""The authentication backend: finds the user of a request by its access token. `permissions` allows or refuses.

Chapter: "The way of a request". Source: RFC 6750 section 2.1. Patterns: middleware, quick-start, protected.
"""

from collections.abc import Callable, Collection
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from lilya.authentication import AuthCredentials, AuthenticationBackend

from app import db
from app.auth import claims, cookies, roles, tokens
from app.auth.claims import AppToken
from app.auth.errors import AuthError, LoginRequired
from app.auth.sessions import lifetime, session_cache
from app.observability import logs


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in user, with the values of the database rows. `auth_time`: last password entry in this session.

    `bearer`: this request sent the token in a header. `program`: the session's tokens were never in a cookie.
    `bound`: the session is bound to a device. `ends_at`: the session's absolute end.
    """

    id: UUID
    email: str
    name: str
    role: str
    sid: UUID
    auth_time: datetime
    ends_at: datetime
    token: AppToken = field(repr=False)
    bearer: bool = False
    must_change_password: bool = False
    second_factor: bool = False
    program: bool = False
    bound: bool = False
    is_authenticated: bool = field(default=True, init=False)

    @property
    def idle_ends_at(self) -> datetime:
        """The end of the session if it is not refreshed again."""
        return self.token.iat + lifetime.idle()

    def may(self, permission: str) -> bool:
        return roles.may(self.role, permission)


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A request without a valid session, with the facts that `challenges` needs to answer it."""

    token_sent: bool = False
    session_ended: bool = False  # the token is valid, but its session has ended
    unavailable: bool = False  # the database did not answer, or the path skips authentication
    refresh_cookie: bool = False
    bearer: bool = False
    is_authenticated: bool = field(default=False, init=False)

    def may(self, permission: str) -> bool:
        return False


_current: ContextVar[Principal | Anonymous] = ContextVar("user")


def current() -> Any:
    """The user of the current request (Principal or Anonymous), for handlers without a `request` parameter.

    Filling that parameter takes the framework as long as the rest of a small handler.
    """
    return _current.get()


def log_fields(scope: Any) -> dict[str, str | None]:
    """The pseudonyms of the user and the session, for a request's line in the access log."""
    user = scope.get("user")
    if user is None or not user.is_authenticated:
        return {}
    return {"user": logs.pseudonym(user.id), "session": logs.pseudonym(user.sid)}


class JWTBackend(AuthenticationBackend):
    """For the framework's AuthenticationMiddleware: `request.user` is a Principal or Anonymous.

    The framework's own backend reads headers only, accepts a refresh token as an access token and does not check
    is_active. Here a bearer header takes precedence and cookies are then ignored, because a browser adds no such header
    by itself. `no_authentication`: paths that skip authentication, so they answer while the database is down; a path
    that ends in "/" includes everything below it.
    """

    def __init__(self, no_authentication: Collection[str] = ()) -> None:
        self._paths = frozenset(no_authentication)
        self._folders = tuple(path for path in no_authentication if path.endswith("/"))

    async def authenticate(self, conn: Any, /, **_: Any) -> Any:
        path = conn.scope["path"]
        no_authentication = path in self._paths or path.startswith(self._folders)
        user = Anonymous(unavailable=True) if no_authentication else await identify(conn.scope)
        _current.set(user)
        return AuthCredentials(["authenticated"] if user.is_authenticated else []), user


async def identify(scope: Any) -> Principal | Anonymous:
    """The user of the request's access token. Never raises: bad input and a lost database give an Anonymous."""
    bearer = _bearer(scope)
    access, refresh = (bearer, None) if bearer is not None else cookies.read(scope)
    anonymous = Anonymous(token_sent=bool(access), refresh_cookie=bool(refresh), bearer=bearer is not None)
    token = tokens.read(access, "access", db.utcnow())
    return await _load(token, anonymous) if token else anonymous


def has_signed_token(scope: Any) -> bool:
    """Whether the request has a token that we signed, expired or not. Decides if a long body is read. No database."""
    bearer = _bearer(scope)
    access, refresh = (bearer, None) if bearer is not None else cookies.read(scope)
    shown: tuple[tuple[str | None, claims.Kind], ...] = (access, "access"), (refresh, "refresh")
    return any(tokens.read_ignoring_expiry(raw, kind) for raw, kind in shown)


async def reload(principal: Principal, *, use_cache: bool = False) -> Principal | Anonymous:
    """The same user, read from the database instead of the session cache: for requests that change something."""
    return await _load(principal.token, _session_ended(principal), use_cache=use_cache)


def condition(principal: Principal, decide: Callable[[Principal | Anonymous], None]) -> db.conditions.Condition:
    """A check for every transaction of the request: calls `decide` with the user as the locked rows say then.

    `decide` raises to roll the transaction back.
    """
    token, anonymous = principal.token, _session_ended(principal)

    def recheck(row: Any) -> None:
        decide(_principal(session_cache.of_row(row, token, db.utcnow()), token, anonymous))

    values = {"sid": principal.sid, "holder": principal.id}
    return db.conditions.Condition(
        principal.sid,
        session_cache.SESSION_AND_USER,
        session_cache.LOCK_USER,
        session_cache.LOCK_SESSION_AND_USER,
        values,
        decide=recheck,
    )


def requester(request: Any, error: AuthError) -> Any:
    """The user to answer an error for: the one a permission checked last, otherwise the request's user.

    A handler that raises LoginRequired found that the session has ended, so its user becomes an Anonymous.
    """
    user = error.who or request.scope["user"]
    return _session_ended(user) if isinstance(error, LoginRequired) and user.is_authenticated else user


def _session_ended(principal: Principal) -> Anonymous:
    return Anonymous(token_sent=True, session_ended=True, bearer=principal.bearer)


async def _load(token: AppToken, anonymous: Anonymous, *, use_cache: bool = True) -> Principal | Anonymous:
    try:
        cached = await session_cache.load(token, db.utcnow(), use_cache=use_cache)
    except db.Unavailable:
        return replace(anonymous, session_ended=False, unavailable=True)
    return _principal(cached, token, anonymous)


def _principal(
    cached: session_cache.CachedSession | None, token: AppToken, anonymous: Anonymous
) -> Principal | Anonymous:
    if cached is None:
        return replace(anonymous, session_ended=True)
    return Principal(
        id=cached.user_id,
        email=cached.email,
        name=cached.name,
        role=cached.role,
        sid=cached.sid,
        auth_time=datetime.fromtimestamp(token.auth_time or 0, UTC),
        ends_at=cached.ends_at,
        token=token,
        bearer=anonymous.bearer,
        must_change_password=cached.must_change_password,
        second_factor=cached.second_factor,
        program=cached.program,
        bound=cached.bound,
    )


def _bearer(scope: Any) -> str | None:
    """The token of `Authorization: Bearer ...`; "" for two such headers, None where there is none.

    The scheme is compared without case (RFC 9110 section 11.1). Other schemes, such as a proxy's Basic, are ignored.
    """
    values = [value for name, value in scope["headers"] if name == b"authorization" and value[:6].lower() == b"bearer"]
    if not values:
        return None
    _, _, token = values[0].partition(b" ")
    return token.strip().decode("latin-1") if len(values) == 1 else ""
