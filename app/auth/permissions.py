"""Permissions: what stands before every private route.

A guard lets pass or raises an error of `errors`; `challenges` turns that into a redirect or a status. Each route names
its guard: `private(...)`, `public(...)` or `no_authentication(...)`. One that names none stops the application from
starting (see `main`).
Chapter: "Permissions". Source: v5.0.0-7.4.1, v5.0.0-8.2.1, v5.0.0-8.3.*. Pattern: protected.
"""

from datetime import timedelta
from typing import Any

from ravyn import Gateway
from ravyn.permissions import BasePermission

from app import db
from app.auth import authentication
from app.auth.errors import (
    AuthError,
    Forbidden,
    LoginRequired,
    PasswordChangeRequired,
    SecondFactorRequired,
    SessionEnded,
    StepUpRequired,
    Unavailable,
)
from app.settings import get_settings
from app.web import client
from app.web.errors import Problem
from app.web.same_origin import SAFE

# What is open while the password has to be replaced: the page where it is, and what that page may ask for first.
OPEN_DURING_PASSWORD_CHANGE = frozenset({"/account/password", "/step-up"})


class Permission(BasePermission):
    """Lets pass or raises; never answers False, which the framework turns into a 403 of its own.

    Async on purpose: the framework runs a plain function in a worker thread, which costs more than the whole request.
    """

    async def has_permission(self, request: Any, controller: Any) -> bool:  # type: ignore[override]
        self.check(request.scope["user"])
        return True

    def check(self, user: Any) -> None:
        raise NotImplementedError


class SignedIn(Permission):
    """Anybody signed in, unless an admin wants the password replaced: then only the page that does it is open.

    `check` is the whole rule. A request that may change something is judged by the rows, not the badge, when all of it
    has arrived, and once more in every transaction that it writes in: a session may end at any moment.
    """

    pages_too = False  # the rows are asked for safe methods as well

    async def has_permission(self, request: Any, controller: Any) -> bool:  # type: ignore[override]
        scope = request.scope
        user, writes = scope["user"], scope.get("method", "GET") not in SAFE
        if user.is_authenticated and (writes or self.pages_too):
            user = scope["user"] = await authentication.reload(user)
        self._decide(user, scope["path"])
        if writes:
            db.conditions.require(authentication.condition(user, lambda of_now: self._decide(of_now, scope["path"])))
        return True

    def _decide(self, user: Any, path: str) -> None:
        try:
            self.check(user)
            if user.must_change_password and path not in OPEN_DURING_PASSWORD_CHANGE:
                raise PasswordChangeRequired
        except AuthError as error:
            error.who = user
            raise

    def check(self, user: Any) -> None:
        if user.is_authenticated:
            return
        if user.unavailable:
            raise Unavailable
        raise SessionEnded if user.session_ended else LoginRequired


class Admin(SignedIn):
    """Somebody whose row says admin, whatever the token says (v5.0.0-8.3.2).

    With a second factor, where the site wants that of its admins: who has one used it to sign in (v5.0.0-6.3.3).
    """

    def check(self, user: Any) -> None:
        super().check(user)
        if user.role != "admin":
            raise Forbidden
        if get_settings().admins_need_second_factor and not user.second_factor:
            raise SecondFactorRequired


class RecentLogin(SignedIn):
    """Whoever typed the password in the last minutes (`APP_STEP_UP_SECONDS`; v5.0.0-7.5.1)."""

    def check(self, user: Any) -> None:
        super().check(user)
        _recently(user)


class RecentAdmin(Admin):
    """An admin who typed the password in the last minutes; who is no admin is not asked for one.

    For what changes others: asks the rows for its pages, too, so a demotion counts there before the feed has told this
    worker.
    """

    pages_too = True

    def check(self, user: Any) -> None:
        super().check(user)
        _recently(user)


class Public(Permission):
    """Everybody; written down, so that no route is public because somebody forgot."""

    def check(self, user: Any) -> None:
        return


class Developer(Permission):
    """Whoever sits at this machine, in development. To everybody else nothing is there (404)."""

    async def has_permission(self, request: Any, controller: Any) -> bool:  # type: ignore[override]
        if not get_settings().is_development or not client.is_this_machine(request.scope):
            raise Problem(404)
        return True


class NoAuthentication(Public):
    """Everybody alike: nobody looks who asks, so the database may be down or stuck (see
    `authentication.JWTBackend`).
    """


def private(path: str, handler: Any, permission: type[Permission] = SignedIn, **about: Any) -> Gateway:
    """`about`, for routes of the JSON API: `answers` and `query` (see `web.openapi`)."""
    return _gateway(path, handler, permission, **about)


def public(path: str, handler: Any, **about: Any) -> Gateway:
    return _gateway(path, handler, Public, **about)


def developer(path: str, handler: Any) -> Gateway:
    return _gateway(path, handler, Developer)


def no_authentication(path: str, handler: Any) -> Gateway:
    return _gateway(path, handler, NoAuthentication)


def _gateway(path: str, handler: Any, permission: type[Permission], **about: Any) -> Gateway:
    gateway: Any = Gateway(path, handler=handler, permissions=[permission])
    gateway.permission = permission  # for the table of routes
    gateway.__dict__ |= about
    return gateway


def _recently(user: Any) -> None:
    if db.utcnow() - user.auth_time > timedelta(seconds=get_settings().step_up_seconds):
        raise StepUpRequired
