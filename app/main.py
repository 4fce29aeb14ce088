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
from app.account import data_export, sessions, well_known
from app.account import email as account_email
from app.account import pages as account_pages
from app.admin import actions as admin_actions
from app.admin import api as admin_api
from app.admin import downloads as admin_downloads
from app.admin import email_queue_pages as admin_emails
from app.admin import pages as admin_pages
from app.auth import api as auth_api
from app.auth import authentication, challenges, cookies
from app.auth.accounts import demo_accounts, emails
from app.auth.authentication import JWTBackend
from app.auth.errors import AuthError
from app.auth.idempotency import IdempotentForms
from app.auth.pages import login as auth_pages
from app.auth.pages import signup
from app.auth.permissions import Developer, NoAuthentication, Permission
from app.auth.sessions import session_cache
from app.dev import pages as dev_pages
from app.email import sender
from app.email.messages import Composer
from app.home import pages as home_pages
from app.learn import pages as learn_pages  # learn
from app.learn.lab import pages as lab_pages  # learn
from app.mfa import api as mfa_api
from app.mfa import emails as mfa_emails
from app.mfa import pages as mfa_pages
from app.mfa import passkey_pages
from app.notes import api as notes_api
from app.notes import pages as notes_pages
from app.notes import store as notes_store
from app.ops import api_reference, metrics_collection
from app.ops import endpoints as ops_pages
from app.settings import Settings, get_settings
from app.web import bodies, framework_patches, routes, static_files
from app.web.errors import ErrorBoundary
from app.web.same_origin import SameOrigin, TrustedHost
from app.web.security_headers import BodyLimit, Methods, SecurityHeaders, WellFormed

# Of two routes that fit an address the first one counts: /admin/users/new is no person's id.
FEATURES: tuple[Any, ...] = (
    ops_pages, home_pages, auth_api, auth_pages, signup, mfa_pages, passkey_pages, mfa_api, account_pages,
    account_email, sessions, data_export, well_known,
    admin_downloads, admin_emails, admin_actions, admin_pages, admin_api,
    notes_pages, notes_api,  # notes
    learn_pages,  # learn
)  # fmt: skip
DEVELOPMENT: tuple[Any, ...] = (  # in development alone
    dev_pages,
    lab_pages,  # learn
)
# What each feature holds about a person, for the copy that they may ask for.
EXPORTS: dict[str, data_export.Source] = {
    "notes": notes_store.exported,  # notes
}
OTHER_HOST = "Set PUBLIC_ORIGIN to the address that you asked for, and for plain http COOKIE_INSECURE=true as well."
COMPOSERS: dict[str, Composer] = {**emails.COMPOSERS, **mfa_emails.COMPOSERS}  # kind of letter -> who writes it


def create_app() -> Ravyn:
    """The application, for `uvicorn --factory app.main:create_app`."""
    framework_patches.install()
    settings = get_settings()
    data_export.FEATURES.update(EXPORTS)
    gateways = [route for feature in features() for route in feature.route_patterns]
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
        DefineMiddleware(
            TrustedHost,
            known=settings.hosts,
            except_at=ops_pages.FOR_MACHINES,
            advice=OTHER_HOST if settings.is_development else "",
        ),
        DefineMiddleware(
            BodyLimit,
            limit=settings.body_limit_bytes,
            strangers=settings.anonymous_body_limit_bytes,
            known=authentication.has_signed_token,
        ),
        DefineMiddleware(
            SameOrigin,
            cookie_names=(cookies.access_name(), cookies.refresh_name(), cookies.ticket_name()),
            public_origin=settings.public_origin,
        ),
        DefineMiddleware(IdempotentForms, except_at=(auth_pages.RESUME,)),
        DefineMiddleware(bodies.Whole),
        DefineMiddleware(AuthenticationMiddleware, backend=[JWTBackend([*open_paths, f"{static_files.PREFIX}/"])]),
        DefineMiddleware(Methods),
    ]


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    await db.connect()
    work = (
        session_cache.follow_invalidations(),
        sender.follow(COMPOSERS),
        maintenance.run_hourly(),
        metrics_collection.follow(),
    )
    tasks = [asyncio.create_task(each) for each in work]
    try:
        if not get_settings().is_development and (email := await demo_accounts.still_open()):
            raise RuntimeError(
                f"the published password of {email} works here: deactivate the account before going live"
            )
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await db.disconnect()


def features() -> tuple[Any, ...]:
    """Those of development first: an address of theirs may fit a pattern of another feature."""
    settings = get_settings()
    return (
        (DEVELOPMENT if settings.is_development else ()) + FEATURES + ((api_reference,) if settings.shows_docs else ())
    )


def route_table() -> list[dict[str, str]]:
    """Every route with its guard, for `python -m app routes` and the matrix in the tests."""
    return [
        {"method": method, "path": route.path, "permission": permission_of(route).__name__}
        for feature in features()
        for route in feature.route_patterns
        for method in sorted(route.handler.http_methods)
    ]


def permission_of(route: Any) -> type[Permission]:
    """The route's one guard. A route without one stops the start: nothing is public because somebody forgot."""
    permission = getattr(route, "permission", None)
    if permission is None:
        raise RuntimeError(f"{route.path} names no permission: use permissions.private(...) or permissions.public(...)")
    return permission
