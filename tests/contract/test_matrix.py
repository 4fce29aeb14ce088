"""Who may do what: every route and method, as five kinds of visitor, over HTTP."""

import re
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from ravyn import Gateway, get

from app import db
from app.auth import permissions
from app.auth.accounts import user_admin
from app.auth.models import session_rows, user_rows
from app.dev import pages as dev_pages
from app.email import outbox
from app.email.models import email_rows
from app.main import create_app, route_table
from app.settings import get_settings
from app.web import features
from app.web.features import Feature
from tests.support.acts import of_a_role, of_features
from tests.support.people import PASSWORD, Person, make_user, sign_in, start_session
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

# Public on purpose. A new route without a permission fails until it is listed here.
PUBLIC = {
    "/", "/accessibility", "/login", "/login/code", "/login/passkey", "/logout", "/auth/resume", "/auth/device-session",
    "/auth/device-session/refresh", "/undo-email-change", "/docs/swagger",
    "/api/auth/login", "/api/auth/login/code", "/api/auth/refresh", "/api/auth/logout",
    "/register", "/register/sent", "/verify-email", "/verify-email/resend", "/verify-email/sent",
    "/forgot-password", "/forgot-password/sent", "/reset-password",
}  # fmt: skip
PUBLIC |= set(of_features("PUBLIC"))  # path -> why
PUBLIC |= {"/learn", "/learn/build", "/learn/build/{step}", "/learn/source/{name:path}", "/learn/{chapter}"}  # learn
PUBLIC |= {"/learn/patterns/{pattern}", "/learn/search"}  # learn
# And of these, what is the same for everybody: nobody looks at the cookies, so it needs no database.
NO_AUTHENTICATION = {
    "/healthz", "/readyz", "/metrics", "/openapi.json",
    "/.well-known/jwks.json", "/.well-known/change-password", "/.well-known/security.txt",
    "/.well-known/passkey-endpoints", "/.well-known/webauthn",
}  # fmt: skip
OPEN = ("Public", "NoAuthentication")
PRIVATE = [row for row in route_table() if row["permission"] not in (*OPEN, "Developer")]  # see tests/dev
VISITORS = ["anonymous", "deactivated", "user", "demoted", "admin"]
REFUSED = {"anonymous": 401, "deactivated": 401, "user": 403, "demoted": 403}


# v5.0.0-6.3.4
def test_public_routes_are_the_short_list() -> None:
    assert {row["path"] for row in route_table() if row["permission"] == "Public"} == PUBLIC
    assert {row["path"] for row in route_table() if row["permission"] == "NoAuthentication"} == NO_AUTHENTICATION


# v5.0.0-8.2.1
def test_route_without_a_guard_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is public because somebody forgot."""

    @get()
    async def forgotten() -> Any:
        return None

    careless = Feature(name="careless", routes=[Gateway("/forgotten", handler=forgotten)])
    monkeypatch.setattr(features, "_features", (*features.registered(), careless))

    with pytest.raises(RuntimeError, match="/forgotten names no permission"):
        create_app()


# v5.0.0-8.2.1
def test_handler_with_two_permissions_stops_the_start() -> None:
    """The framework would ask both on each of its routes, and the table of routes would say something else."""

    @get()
    async def index() -> Any:
        return None

    permissions.private("/mine", index)
    with pytest.raises(RuntimeError, match="/everybodys: index has a route with another permission"):
        permissions.private("/everybodys", index, permissions.requires("users:read"))


# v5.0.0-15.2.3
def test_routes_of_a_developer_stop_the_start_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "env", "production")
    assert not [row for row in route_table() if row["permission"] == "Developer"]
    create_app()
    too_much = Feature(name="too much", routes=dev_pages.route_patterns)
    monkeypatch.setattr(features, "_features", (*features.registered(), too_much))

    with pytest.raises(RuntimeError, match="/dev/mailbox is for development alone"):
        create_app()


PROOF = {"current_password": PASSWORD}
# What a request that changes something needs to say.
BODIES: dict[str, dict[str, Any]] = {
    "POST /admin/users/new": {"data": {"email": "invited@example.com", "name": "New", "role": "user"} | PROOF},
    "POST /admin/users/{user_id}/edit": {"data": {"name": "Another Name", "role": "admin"} | PROOF},
    "PATCH /api/admin/users/{user_id}": {"json": {"name": "Another Name"}},
    "POST /api/admin/users": {"json": {"email": "invited@example.com", "name": "New", "role": "user"} | PROOF},
}


# v5.0.0-8.2.1, v5.0.0-8.3.1, v5.0.0-16.3.2
@pytest.mark.parametrize("row", PRIVATE, ids=lambda row: " ".join(row.values()))
@pytest.mark.parametrize("who", VISITORS)
async def test_each_visitor_gets_what_the_guard_says(client: Visitor, who: str, row: dict[str, str]) -> None:
    victim = await make_user()
    await start_session(victim)
    path = await address(row["path"], victim)
    await visit_as(client, who)
    before = await everything()

    answer = await client.call(row["method"].replace("EVENTS", "HEAD"), path, **body(row))  # a stream has no end

    if row["permission"] in ("SignedIn", "RecentLogin") and who in ("user", "demoted", "admin"):
        assert answer.status_code not in (401, 403)
    elif who == "admin":
        assert answer.status_code in (200, 201, 303)
    else:
        assert answer.status_code == REFUSED[who], answer.text
    changes_others = row["method"] != "GET" and row["permission"].endswith(":write")
    if of_a_role(row):
        assert (await everything() != before) is (changes_others and who == "admin")


@pytest.mark.parametrize("who", VISITORS)
async def test_what_is_public_refuses_nobody(client: Visitor, who: str) -> None:
    await visit_as(client, who)

    for row in route_table():
        if row["permission"] in OPEN and row["method"] == "GET":
            answer = await client.visit(filled(row["path"]))
            assert answer.status_code not in (401, 403, 500), row


@pytest.mark.parametrize("who", VISITORS)
async def test_method_that_no_route_has_is_405_for_everybody(client: Visitor, who: str) -> None:
    await visit_as(client, who)
    before = await everything()
    table = [row | {"method": row["method"].replace("EVENTS", "GET")} for row in route_table()]
    routes = [(row["method"], re.compile(re.sub(r"\{[^}]+\}", "[^/]+", row["path"]))) for row in table]

    for path in {filled(row["path"]) for row in route_table()}:
        there = {method for method, pattern in routes if pattern.fullmatch(path)}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - there:
            assert (await client.call(method, path)).status_code == 405, (method, path)

    assert await everything() == before


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", str(db.uuid7()), path)


async def address(path: str, victim: Person) -> str:
    """The route's path for something of the victim's."""
    session = await db.fetch_value(sa.select(session_rows.c.id).where(session_rows.c.user_id == victim.id))
    ids = {"user_id": victim.id, "session_id": session, "email_id": await a_failed_email(), "action": "deactivate"}
    return re.sub(r"\{(\w+)\}", lambda name: str(ids.get(name[1], db.uuid7())), path)


def body(row: dict[str, str]) -> dict[str, Any]:
    return BODIES.get(f"{row['method']} {row['path']}", {})


async def a_failed_email() -> UUID:
    async with db.transaction() as tx:
        email_id = await outbox.enqueue(tx, "forgot", recipient="nobody@example.com")
        await tx.execute(sa.update(email_rows).values(failed_at=db.utcnow()))
    return email_id


async def everything() -> list[Any]:
    """What admins can change."""
    sessions = sa.select(session_rows.c.id, session_rows.c.revoked_at)
    tables = sa.select(user_rows), sessions, sa.select(email_rows.c.failed_at)
    return [await db.fetch_all(query.order_by(sa.text("1"))) for query in tables]


async def visit_as(client: Visitor, who: str) -> None:
    if who == "anonymous":
        return
    person = await make_user(role="admin" if who in ("admin", "demoted") else "user")
    await sign_in(client, person)
    if who == "deactivated":
        await user_admin.change(person.id, (await make_user(role="admin")).id, is_active=False)
    if who == "demoted":
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(role="user"))
