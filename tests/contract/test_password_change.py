"""A password that has to be replaced: every private page leads to the one place where that is done."""

import pytest

from app.auth.accounts import user_admin
from app.auth.sessions import session_cache
from app.main import route_table
from tests.support.people import Person, make_user, sign_in, start_session
from tests.support.sent import bearer
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
OPEN = {"/account/password", "/step-up"}
PAGES = [
    row["path"]
    for row in route_table()
    if row["method"] == "GET" and row["permission"] == "SignedIn" and not row["path"].startswith("/api")
]


@pytest.fixture
async def person(database: str) -> Person:
    person, admin = await make_user(), await make_user(role="admin")
    await user_admin.require_new_password(person.id, admin.id)
    return person


@pytest.mark.parametrize("path", [path for path in PAGES if path not in OPEN])
async def test_page_leads_to_the_new_password(client: Visitor, person: Person, path: str) -> None:
    await sign_in(client, person)

    answer = await client.visit(path)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/account/password?notice=password_change_required"


async def test_form_is_not_carried_along(client: Visitor, person: Person) -> None:
    """307 would send it on to the page of passwords."""
    await sign_in(client, person)

    answer = await client.submit("/account", {"name": "Lost"})

    assert answer.status_code == 303


async def test_program_is_told_in_its_own_words(client: Visitor, person: Person) -> None:
    for path in ("/api/auth/me", "/api/protected"):
        answer = await client.get(path, headers=bearer(await start_session(person)))

        assert answer.status_code == 403
        assert answer.json()["error"] == "password_change_required"


async def test_public_pages_and_the_way_out_stay_open(client: Visitor, person: Person) -> None:
    await sign_in(client, person)

    assert (await client.visit("/")).status_code == 200
    assert (await client.visit("/step-up")).status_code == 200
    assert (await client.submit("/logout")).headers["location"] == "/login?notice=signed_out"


async def test_session_that_is_open_already_meets_it_at_once(client: Visitor) -> None:
    person, admin = await make_user(), await make_user(role="admin")
    await sign_in(client, person)
    await session_cache.read_invalidations()
    assert (await client.visit("/dashboard")).status_code == 200

    await user_admin.require_new_password(person.id, admin.id)
    wanted = await client.visit("/dashboard")
    await user_admin.require_new_password(person.id, admin.id, required=False)

    assert wanted.status_code == 303
    assert (await client.visit("/dashboard")).status_code == 200


async def test_admin_with_an_old_password_does_nothing(client: Visitor) -> None:
    admin, boss, victim = await make_user(role="admin"), await make_user(role="admin"), await make_user()
    await user_admin.require_new_password(admin.id, boss.id)
    await sign_in(client, admin)

    answer = await client.submit(f"/admin/users/{victim.id}/deactivate")

    assert answer.headers["location"].startswith("/account/password")
    assert await user_admin.change(victim.id, boss.id, is_active=True) is user_admin.Outcome.NOTHING
