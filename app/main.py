"""The application: middleware in order, and the list of features. No logic.

Start here, then read `app/auth/__init__.py` (the way of a request through the kernel), then any page.
Chapter: "What a JWT is". Patterns: quick-start, middleware.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from lilya.middleware import DefineMiddleware
from ravyn import Ravyn
from ravyn.middleware.authentication import AuthenticationMiddleware

from app import db, maintenance
from app.auth import authentication, challenges, cookies, roles
from app.auth.accounts import demo_accounts
from app.auth.authentication import JWTBackend
from app.auth.errors import AuthError
from app.auth.idempotency import IdempotentForms
from app.auth.pages import device_session, login
from app.auth.permissions import Developer, NoAuthentication, Permission
from app.auth.sessions import session_cache
from app.auth.streams import open_streams
from app.email import sender
from app.ops import endpoints, metrics_collection
from app.settings import Settings, get_settings
from app.web import bodies, features, framework_patches, routes, static_files
from app.web.errors import ErrorBoundary
from app.web.request_limits import BodyLimit, Methods, WellFormed
from app.web.same_origin import SameOrigin, TrustedHost
from app.web.security_headers import SecurityHeaders
from app.web.speculation import RefuseAhead

# Each package brings a `FEATURE` (see `app.web.features`). Routes and menus have this order.
FEATURES = (
    "app.home",
    "app.ops",
    "app.ops.api_reference",
    "app.auth.pages",
    "app.email",
    "app.mfa",
    "app.account",
    "app.notes",  # notes
    "app.admin",
    "app.learn.lab",  # learn
    "app.learn",  # learn
    "app.dev.reload",
    "app.dev",
)
OTHER_HOST = "Set PUBLIC_ORIGIN to the address that you asked for, and for plain http COOKIE_INSECURE=true as well."
features.register(FEATURES)


def create_app() -> Ravyn:
    """The application, for `uvicorn --factory app.main:create_app`."""
    framework_patches.install()
    settings = get_settings()
    gateways = gateways_of_features()
    roles.check({permission_of(route).__name__ for feature in features.registered() for route in feature.routes})
    for route in gateways:
        if permission_of(route) is Developer and not settings.is_development:
            raise RuntimeError(f"{route.path} is for development alone: it must not be served here")
    app = Ravyn(
        routes=[*gateways, static_files.mount()],
        middleware=middleware(settings, [route.path for route in gateways if permission_of(route) is NoAuthentication]),
        lifespan=lifespan,
        settings_module=settings,  # type: ignore[arg-type]  # the instance: a class would be made anew, without .env
        debug=False,
        redirect_slashes=False,
        enable_openapi=False,
    )
    routes.refuse_unsafe(app)
    return app


def middleware(settings: Settings, open_paths: list[str]) -> list[DefineMiddleware]:
    """Outermost first. `open_paths`: the paths where nobody is identified."""
    return [
        DefineMiddleware(
            SecurityHeaders, https=settings.public_origin.startswith("https:"), who=authentication.log_fields
        ),
        DefineMiddleware(ErrorBoundary, handlers={AuthError: challenges.answer}),
        DefineMiddleware(WellFormed),
        DefineMiddleware(RefuseAhead, but=f"{static_files.PREFIX}/"),
        DefineMiddleware(
            TrustedHost,
            known=settings.hosts,
            except_at=endpoints.FOR_MACHINES,
            advice=OTHER_HOST if settings.is_development else "",
        ),
        DefineMiddleware(
            BodyLimit,
            limit=settings.body_limit_bytes,
            anonymous=settings.anonymous_body_limit_bytes,
            signed_in=authentication.has_signed_token,
        ),
        DefineMiddleware(
            SameOrigin,
            cookie_names=(cookies.access_name(), cookies.refresh_name(), cookies.ticket_name()),
            public_origin=settings.public_origin,
            preflighted=device_session.PREFLIGHTED,
        ),
        DefineMiddleware(IdempotentForms, except_at=(login.RESUME,)),
        DefineMiddleware(bodies.Whole),
        DefineMiddleware(AuthenticationMiddleware, backend=[JWTBackend([*open_paths, f"{static_files.PREFIX}/"])]),
        DefineMiddleware(Methods),
    ]


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    await db.connect()
    work = (
        session_cache.follow_invalidations(),
        open_streams.follow(),
        sender.follow(features.table("emails")),
        maintenance.run_hourly(),
        metrics_collection.follow(),
    )
    tasks = [asyncio.create_task(each) for each in work]
    try:
        if not get_settings().is_development and (email := await demo_accounts.still_open()):
            raise RuntimeError(
                f"the published demo password of {email} works here: deactivate the account before going live"
            )
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await db.disconnect()


def gateways_of_features() -> list[Any]:
    return [route for feature in features.enabled() for route in feature.routes]


def route_table() -> list[dict[str, str]]:
    """Every route with its permission, for `python -m app routes` and the matrix in the tests.

    Method: EVENTS for an event stream, SOCKET for a WebSocket (`auth.streams`).
    """
    return [
        {"method": method, "path": route.path, "permission": permission_of(route).__name__}
        for route in gateways_of_features()
        for method in _methods(route)
    ]


def _methods(route: Any) -> list[str]:
    if getattr(route, "stream", False):
        return ["EVENTS"]
    return sorted(getattr(route.handler, "http_methods", ["SOCKET"]))


def permission_of(route: Any) -> type[Permission]:
    """The route's one permission. A route without one stops the start: no route is public by mistake."""
    permission = getattr(route, "permission", None)
    if permission is None:
        raise RuntimeError(f"{route.path} names no permission: use permissions.private(...) or permissions.public(...)")
    return permission
