"""Permissions: the access rules of routes.

A permission allows a request or raises an error of `errors`; `challenges` turns the error into a redirect or a status.
Each route names its permission with `private(...)`, `public(...)` or `no_authentication(...)`; what some
roles may do has a name: `private("/admin/users", index, requires("users:read"))`. The application refuses to start with
a route that names no permission (see `main`).
Chapter: "Permissions". Source: v5.0.0-7.4.1, v5.0.0-8.2.1, v5.0.0-8.3.*. Pattern: protected.
"""

import re
from datetime import timedelta
from functools import cache
from typing import Any

from ravyn import Gateway
from ravyn.permissions import BasePermission

from app import db
from app.auth import authentication
from app.auth.errors import (
    AuthError,
    DeviceBindingRequired,
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

# Pages that stay open while the password has to be changed: the page that does it, and the step-up before it.
OPEN_DURING_PASSWORD_CHANGE = frozenset({"/account/password", "/step-up"})
NAME = re.compile("[a-z_]+:[a-z_]+")


class Permission(BasePermission):
    """Base class: allows or raises. It never returns False, for which the framework would send its own 403 page.

    `has_permission` is async on purpose: the framework runs a plain function in a worker thread, which takes longer
    than the whole request.
    """

    async def has_permission(self, request: Any, controller: Any) -> bool:  # type: ignore[override]
        self.check(request.scope["user"])
        return True

    def check(self, user: Any) -> None:
        raise NotImplementedError

    @classmethod
    def allows(cls, user: Any) -> bool:
        """Whether the role of this user suffices, for links to the route. `check` decides."""
        return True


class SignedIn(Permission):
    """Any signed-in user. While an admin requires a password change, only OPEN_DURING_PASSWORD_CHANGE is allowed.

    `check` is the whole rule. For an unsafe method it is applied to the database rows instead of the session cache once
    the whole request has arrived, and again in every transaction that writes: the session may end in between.
    """

    reload_always = False  # True: reads the rows for safe methods as well

    async def has_permission(self, request: Any, controller: Any) -> bool:  # type: ignore[override]
        scope = request.scope
        user, writes = scope["user"], scope.get("method", "GET") not in SAFE
        if user.is_authenticated and (writes or self.reload_always):
            user = scope["user"] = await authentication.reload(user)
        self.decide(user, scope["path"])
        if writes:
            db.conditions.require(authentication.condition(user, lambda of_now: self.decide(of_now, scope["path"])))
        return True

    def decide(self, user: Any, path: str) -> None:
        """Raise an AuthError unless this user may open `path`. Knows no request: open streams are checked with it."""
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


class RecentLogin(SignedIn):
    """A signed-in user who entered the password within `APP_STEP_UP_SECONDS` (v5.0.0-7.5.1)."""

    def check(self, user: Any) -> None:
        super().check(user)
        _recently(user)


class RolePermission(SignedIn):
    """A user whose role has the permission `name` (see `requires`). Other users get 403 without a password prompt.

    The role is that of the database row; the token's role does not count (v5.0.0-8.3.2). If the site requires a second
    factor of admins, every user with a permission must have one, and then login required it (v5.0.0-6.3.3). If the site
    requires it, the session must be bound to a device as well.
    """

    name = ""

    def check(self, user: Any) -> None:
        super().check(user)
        if not user.may(self.name):
            raise Forbidden
        if get_settings().admins_need_second_factor and not user.second_factor:
            raise SecondFactorRequired
        if get_settings().device_bound == "admins" and not user.bound:
            raise DeviceBindingRequired
        if self.reload_always:
            _recently(user)

    @classmethod
    def allows(cls, user: Any) -> bool:
        return bool(user.may(cls.name))


@cache
def requires(name: str) -> type[SignedIn]:
    """The permission for users whose role has `name`, such as "users:write" (the table: `roles.ROLES`).

    Every action but `read` needs the password entered within `APP_STEP_UP_SECONDS`. It reads the rows for GET as well,
    so a demotion takes effect before this worker has read it from the invalidation feed.
    Errors: ValueError for a name that is not `subject:action`.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a permission: write subject:action, such as users:read")
    return type(name, (RolePermission,), {"name": name, "reload_always": not name.endswith(":read")})


class Public(Permission):
    """Every request. Public routes name it explicitly, so no route becomes public by omission."""

    def check(self, user: Any) -> None:
        return


class Developer(Permission):
    """Requests from this machine in development. All others get 404."""

    async def has_permission(self, request: Any, controller: Any) -> bool:  # type: ignore[override]
        if not get_settings().is_development or not client.is_this_machine(request.scope):
            raise Problem(404)
        return True


class NoAuthentication(Public):
    """Every request, without looking up the user: the route answers while the database is down or slow.

    `authentication.JWTBackend` skips these paths.
    """


def private(path: str, handler: Any, permission: type[Permission] = SignedIn, **about: Any) -> Gateway:
    """A route for signed-in users. `about`, for routes of the JSON API: `answers` and `query` (see `web.openapi`)."""
    return _gateway(path, handler, permission, **about)


def public(path: str, handler: Any, **about: Any) -> Gateway:
    return _gateway(path, handler, Public, **about)


def developer(path: str, handler: Any) -> Gateway:
    return _gateway(path, handler, Developer)


def no_authentication(path: str, handler: Any) -> Gateway:
    return _gateway(path, handler, NoAuthentication)


def _gateway(path: str, handler: Any, permission: type[Permission], **about: Any) -> Gateway:
    """Errors: RuntimeError for two permissions of one handler: the framework asks both on each of its routes."""
    if getattr(handler, "permission", permission) is not permission:
        raise RuntimeError(f"{path}: {handler.fn.__name__} has a route with another permission: write a second handler")
    handler.permission = permission
    gateway: Any = Gateway(path, handler=handler, permissions=[permission])
    gateway.permission = permission  # for the table of routes
    gateway.__dict__ |= about
    return gateway


def _recently(user: Any) -> None:
    if db.utcnow() - user.auth_time > timedelta(seconds=get_settings().step_up_seconds):
        raise StepUpRequired
