"""deploy/roles.sql on a real PostgreSQL: the site runs as a role that cannot change the audit log or the tables."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth.accounts import user_admin
from tests.support import postgres
from tests.support.environment import ROOT
from tests.support.people import PASSWORD, make_user
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
ROLES = (ROOT / "deploy" / "roles.sql").read_text()


def of(role: str, url: str) -> str:
    return url.replace("postgres@", f"{role}@")


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(params=["roles first", "roles later"])
async def site(app: Any, anyio_backend: str, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Visitor, str]]:
    """The application as `lanyard_app`, and the superuser's URL. Migrated by `lanyard_owner`, or before it was."""
    url, before = postgres.empty(), db.url()
    if request.param == "roles first":
        await run(url, ROLES)
        db.point_at(of("lanyard_owner", url))
        await asyncio.to_thread(db.upgrade)
    else:
        db.point_at(url)
        await asyncio.to_thread(db.upgrade)
        await run(url, ROLES)
    db.point_at(of("lanyard_app", url))
    await db.connect()
    async with Visitor(app) as visitor:
        yield visitor, url
    await db.disconnect()
    db.point_at(before)


async def test_site_does_all_its_work_as_the_lesser_role(site: tuple[Visitor, str]) -> None:
    visitor, _ = site
    admin, person, proof = await make_user(role="admin"), await make_user(), {"current_password": PASSWORD}

    answers = [
        await visitor.submit("/login", {"email": admin.email, "password": "wrong horse battery staple"}),
        await visitor.submit("/login", {"email": admin.email, "password": PASSWORD}),
        await visitor.submit("/account", {"name": "Renamed Admin"}),
        await visitor.visit("/dashboard"),
        await visitor.visit("/admin"),
        await visitor.visit("/admin/users?q=person"),
        await visitor.visit("/admin/audit"),
        await visitor.submit("/admin/users/export"),
        await visitor.submit("/admin/users/new", {"email": "n@example.com", "name": "N", "role": "user"} | proof),
        await visitor.submit(f"/admin/users/{person.id}/edit", {"name": "Renamed", "role": "admin"} | proof),
        await visitor.submit(f"/admin/users/{person.id}/deactivate"),
        await visitor.submit("/step-up", {"password": PASSWORD, "next": "/account"}),
    ]
    visitor.drop_cookie("__Host-access")
    answers += [await visitor.visit("/auth/resume"), await visitor.submit("/logout")]

    assert [answer.status_code for answer in answers] == [
        422,
        303,
        303,
        200,
        200,
        200,
        200,
        200,
        303,
        303,
        303,
        303,
        303,
        303,
    ]
    assert db.pending() == []  # what production looks at before it starts


# v5.0.0-13.2.2, v5.0.0-16.4.2
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET detail = 'nothing happened'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT (id) DO UPDATE SET detail = ''",
        "ALTER TABLE audit_events ADD COLUMN hidden text",
        "DROP TABLE audit_events",
        "CREATE TABLE audit_events_too (id uuid)",
        "CREATE RULE quiet AS ON INSERT TO audit_events DO INSTEAD NOTHING",
        "ALTER TABLE audit_events OWNER TO lanyard_app",
        "DROP TABLE sessions",
        "UPDATE alembic_version SET version_num = '0001'",
        "SET ROLE lanyard_owner",
    ],
)
async def test_role_of_the_site_cannot_change_the_audit_log_or_the_tables(
    site: tuple[Visitor, str], statement: str
) -> None:
    """v5.0.0-16.4.2"""
    _, url = site
    admin, person = await make_user(role="admin"), await make_user()
    await user_admin.change(person.id, admin.id, is_active=False)
    before = await db.fetch_all(sa.select(event_rows))

    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidGrantOperationError)):
        await run(of("lanyard_app", url), statement)

    assert before
    assert await db.fetch_all(sa.select(event_rows)) == before


async def test_grant_of_what_one_does_not_have_gives_nothing(site: tuple[Visitor, str]) -> None:
    """PostgreSQL answers with a warning, not an error."""
    _, url = site
    connection = await asyncpg.connect(of("lanyard_app", url))
    await connection.execute("GRANT ALL ON audit_events TO lanyard_app")
    for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
        assert not await connection.fetchval(f"SELECT has_table_privilege('audit_events', '{privilege}')")
    await connection.close()


async def test_owner_prunes(site: tuple[Visitor, str]) -> None:
    await make_user()
    _, url = site

    await run(of("lanyard_owner", url), "DELETE FROM audit_events")


async def test_table_of_a_later_migration_is_open_to_the_site(site: tuple[Visitor, str]) -> None:
    _, url = site

    await run(of("lanyard_owner", url), "CREATE TABLE later (id integer)")

    await run(of("lanyard_app", url), "INSERT INTO later VALUES (1)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(of("lanyard_app", url), "TRUNCATE later")


async def test_running_the_file_again_changes_nothing(site: tuple[Visitor, str]) -> None:
    _, url = site
    connection = await asyncpg.connect(url)
    rights = "SELECT relname, relowner::regrole::text, relacl::text FROM pg_class WHERE relkind = 'r' ORDER BY relname"
    before = await connection.fetch(rights)

    await run(url, ROLES)

    assert {str(row["relname"]) for row in before} >= {"audit_events", "users"}
    after = await connection.fetch(rights)
    await connection.close()
    assert [(row[0], row[1], set(str(row[2]).strip("{}").split(","))) for row in after] == [
        (row[0], row[1], set(str(row[2]).strip("{}").split(","))) for row in before
    ]
