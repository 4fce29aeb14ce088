"""The authentication backend: reads a request's token and says who holds it. `permissions` refuses, not this.

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
from app.auth import cookies, tokens
from app.auth.errors import AuthError, LoginRequired
from app.auth.sessions import session_cache
from app.auth.tokens import AppToken
from app.observability import logs


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody signed in, as the rows say. `auth_time`: when the password was last typed in this session.

    `bearer`: how the token came now. `program`: it never was in a cookie, however it came.
    """

    id: UUID
    email: str
    name: str
    role: str
    sid: UUID
    auth_time: datetime
    token: AppToken = field(repr=False)
    bearer: bool = False
    must_change_password: bool = False
    second_factor: bool = False
    program: bool = False
    is_authenticated: bool = field(default=True, init=False)

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody, and why: what the challenge needs to know."""

    token_sent: bool = False
    session_ended: bool = False  # the token was good, its session is not
    unavailable: bool = False  # the database could not be asked, or was not
    refresh_cookie: bool = False
    bearer: bool = False
    is_authenticated: bool = field(default=False, init=False)


_current: ContextVar[Principal | Anonymous] = ContextVar("user")


def current() -> Any:
    """Who asks, for handlers without a `request` parameter: that alone costs as much as the rest of a small handler."""
    return _current.get()


def log_fields(scope: Any) -> dict[str, str | None]:
    """Who asked, by pseudonym, for the line of a request."""
    user = scope.get("user")
    if user is None or not user.is_authenticated:
        return {}
    return {"user": logs.pseudonym(user.id), "session": logs.pseudonym(user.sid)}


class JWTBackend(AuthenticationBackend):
    """For the framework's AuthenticationMiddleware: `request.user` is a Principal or Anonymous.

    The framework's own backend reads headers only, takes a refresh token for an access token and does not look at
    is_active. Here a bearer header decides, and cookies are then ignored: a header is no ambient authority.
    `no_authentication`: paths, those ending in "/" with all below, where nobody is identified, whatever was sent: they
    are answered while the database is not.
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
    """The holder of the request's access token. Never raises for bad input, nor when the database is down."""
    bearer = _bearer(scope)
    access, refresh = (bearer, None) if bearer is not None else cookies.read(scope)
    nobody = Anonymous(token_sent=bool(access), refresh_cookie=bool(refresh), bearer=bearer is not None)
    token = tokens.read(access, "access", db.utcnow())
    return await _load(token, nobody) if token else nobody


def has_signed_token(scope: Any) -> bool:
    """A token that we signed, whatever its age: not who asks, but whether a long body may be theirs. No database."""
    bearer = _bearer(scope)
    access, refresh = (bearer, None) if bearer is not None else cookies.read(scope)
    shown: tuple[tuple[str | None, tokens.Kind], ...] = (access, "access"), (refresh, "refresh")
    return any(tokens.read_whatever_its_age(raw, kind) for raw, kind in shown)


async def reload(principal: Principal) -> Principal | Anonymous:
    """The same holder as the rows say at this moment, whatever is remembered: before anything dangerous."""
    return await _load(principal.token, _session_ended(principal), remembered=False)


def condition(principal: Principal, decide: Callable[[Principal | Anonymous], None]) -> db.conditions.Condition:
    """For the transactions of a request: `rotation_policy` gets the same holder as the rows say then, and raises or
    does not.
    """
    token, nobody = principal.token, _session_ended(principal)

    def of_now(row: Any) -> None:
        decide(_principal(session_cache.of_row(row, token, db.utcnow()), token, nobody))

    values = {"sid": principal.sid, "holder": principal.id}
    return db.conditions.Condition(
        principal.sid,
        session_cache.SESSION_AND_USER,
        session_cache.LOCK_USER,
        session_cache.LOCK_SESSION_AND_USER,
        values,
        decide=of_now,
    )


def requester(request: Any, error: AuthError) -> Any:
    """Who asked, for the answer to an error: whom a guard looked at last, or, from a handler, whose session it was."""
    user = error.who or request.scope["user"]
    return _session_ended(user) if isinstance(error, LoginRequired) and user.is_authenticated else user


def _session_ended(principal: Principal) -> Anonymous:
    return Anonymous(token_sent=True, session_ended=True, bearer=principal.bearer)


async def _load(token: AppToken, nobody: Anonymous, *, remembered: bool = True) -> Principal | Anonymous:
    try:
        cached = await session_cache.load(token, db.utcnow(), remembered=remembered)
    except db.Unavailable:
        return replace(nobody, session_ended=False, unavailable=True)
    return _principal(cached, token, nobody)


def _principal(cached: session_cache.CachedSession | None, token: AppToken, nobody: Anonymous) -> Principal | Anonymous:
    if cached is None:
        return replace(nobody, session_ended=True)
    return Principal(
        id=cached.user_id,
        email=cached.email,
        name=cached.name,
        role=cached.role,
        sid=cached.sid,
        auth_time=datetime.fromtimestamp(token.auth_time or 0, UTC),
        token=token,
        bearer=nobody.bearer,
        must_change_password=cached.must_change_password,
        second_factor=cached.second_factor,
        program=cached.program,
    )


def _bearer(scope: Any) -> str | None:
    """The token of `Authorization: Bearer ...`; "" for two such headers, None where there is none.

    The scheme is compared without case (RFC 9110 section 11.1). Another scheme, such as a proxy's Basic, is not ours.
    """
    values = [value for name, value in scope["headers"] if name == b"authorization" and value[:6].lower() == b"bearer"]
    if not values:
        return None
    _, _, token = values[0].partition(b" ")
    return token.strip().decode("latin-1") if len(values) == 1 else ""
