"""The table of roles, and a role of one's own: one line in it, and every route and page follows."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from app.auth import permissions, roles
from app.auth.accounts import user_admin
from app.auth.accounts.user_admin import Outcome
from app.auth.roles import ROLES
from app.main import create_app, route_table
from app.web import features
from tests.support.acts import LOOKS, of_a_role
from tests.support.people import PASSWORD, make_user, sign_in, start_session
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]
SUPPORT = frozenset({"users:read", "audit:read"})
LINKS = re.compile(r'(?:href|action)="(/[^"#]*)"')


@pytest.fixture
def support(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(ROLES, "support", SUPPORT)
    return "support"


@pytest.fixture
def clerk(monkeypatch: pytest.MonkeyPatch) -> str:
    """May change users, and nothing else of what an admin may."""
    monkeypatch.setitem(ROLES, "clerk", frozenset({"users:read", "users:write"}))
    return "clerk"


# v5.0.0-8.2.1
def test_each_route_of_the_admin_area_names_a_permission() -> None:
    rows = [row for row in route_table() if row["path"].startswith(("/admin", "/api/admin"))]

    assert rows
    for row in rows:
        assert re.fullmatch("[a-z_]+:[a-z_]+", row["permission"]), row
        assert row["method"] in LOOKS or not row["permission"].endswith(":read"), row


# v5.0.0-8.2.1
@pytest.mark.parametrize(
    "row", [row for row in route_table() if of_a_role(row)], ids=lambda row: " ".join(row.values())
)
async def test_role_of_ones_own_opens_what_its_line_says(client: Visitor, support: str, row: dict[str, str]) -> None:
    victim = await make_user()
    await sign_in(client, await make_user(role=support))
    path = re.sub(r"\{user_id\}", str(victim.id), row["path"])
    path = re.sub(r"\{[^}]+\}", "00000000-0000-7000-8000-000000000000", path)

    answer = await client.call(row["method"].replace("EVENTS", "HEAD"), path)  # a stream has no end

    assert (answer.status_code != 403) is (row["permission"] in SUPPORT), answer.text


async def test_pages_of_the_admin_area_link_to_nothing_that_is_refused(client: Visitor, support: str) -> None:
    """From the navigation on, everything that a page of the admin area links to or posts to."""
    await user_admin.change((await make_user()).id, (await make_user(role="admin")).id, is_active=False)
    await sign_in(client, await make_user(role=support))
    open_links, seen = {"/dashboard"}, set()

    while open_links:
        path = open_links.pop()
        seen.add(path)
        page = await client.visit(path)
        assert page.status_code == 200, path
        found = set(LINKS.findall(page.text.replace("&amp;", "&")))
        open_links |= {link for link in found if link.startswith("/admin")} - seen

    assert {"/admin", "/admin/users", "/admin/audit"} <= seen
    assert not [path for path in seen if "/edit" in path or "/export" in path or path.endswith("activate")]


async def test_navigation_leads_to_the_first_tab_that_is_open(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROLES, "auditor", frozenset({"audit:read"}))
    await sign_in(client, await make_user(role="auditor"))

    page = await client.visit("/dashboard")
    assert '<a href="/admin/audit">Admin</a>' in page.text
    log = await client.visit("/admin/audit")
    tabs = re.search(r'<ul class="admin-tabs-list">.*?</ul>', log.text, re.DOTALL)

    assert tabs
    assert LINKS.findall(tabs[0]) == ["/admin/audit"]
    assert 'href="/admin/users' not in log.text


# v5.0.0-8.2.1
def test_role_that_is_not_in_the_table_may_do_nothing() -> None:
    everything = {row["permission"] for row in route_table() if of_a_role(row)}

    assert not [permission for permission in everything if roles.may("root", permission)]
    assert all(roles.may("admin", permission) for permission in everything)
    assert features.admin_tabs(SimpleNamespace(may=lambda permission: roles.may("root", permission))) == []


def test_permission_that_no_route_requires_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spelling mistake in the table: the role would lack the permission, and nobody would know why."""
    monkeypatch.setitem(ROLES, "support", frozenset({"user:read"}))

    with pytest.raises(RuntimeError, match="no route requires user:read, which the role support has"):
        create_app()


@pytest.mark.parametrize("name", ["admin", "users", "users:", "Users:read", "users:read:all", "*"])
def test_permission_is_a_subject_and_an_action(name: str) -> None:
    with pytest.raises(ValueError, match="write subject:action"):
        permissions.requires(name)


# v5.0.0-8.3.2
@pytest.mark.parametrize(
    "act",
    [
        lambda person, actor: user_admin.change(person.id, actor, is_active=False),
        lambda person, actor: user_admin.change(person.id, actor, name="Another"),
        lambda person, actor: user_admin.end_sessions(person.id, actor),
        lambda person, actor: user_admin.send_link(person.id, actor),
        lambda person, actor: user_admin.require_new_password(person.id, actor),
    ],
    ids=["deactivate", "rename", "end sessions", "send link", "require new password"],
)
async def test_nobody_acts_on_an_account_that_may_do_more(clerk: str, act: Any) -> None:
    actor, admin, user = await make_user(role=clerk), await make_user(role="admin"), await make_user()
    await start_session(admin)
    await start_session(user)

    assert await act(admin, actor.id) is Outcome.FORBIDDEN
    assert await act(user, actor.id) is Outcome.DONE


# v5.0.0-8.3.2
async def test_nobody_gives_a_role_that_may_do_more(client: Visitor, clerk: str) -> None:
    """By form, API and function; the roles below one's own can be given."""
    actor, user = await make_user(role=clerk), await make_user()
    await sign_in(client, actor)
    proof = {"current_password": PASSWORD}

    page = await client.visit(f"/admin/users/{user.id}/edit")
    assert re.findall('<option value="([^"]*)"', page.text) == ["user", clerk]
    edited = await client.submit(f"/admin/users/{user.id}/edit", {"name": "Ann", "role": "admin"} | proof)
    invited = await client.submit(
        "/admin/users/new", {"email": "new@example.com", "name": "New", "role": "admin"} | proof
    )
    patched = await client.call("PATCH", f"/api/admin/users/{user.id}", json={"role": "admin"} | proof)

    assert [edited.status_code, invited.status_code, patched.status_code] == [403, 403, 403]
    assert await user_admin.change(user.id, actor.id, role="admin") is Outcome.FORBIDDEN
    assert await user_admin.invite("two@example.com", "Two", "admin", actor.id) is Outcome.FORBIDDEN
    assert await user_admin.change(user.id, actor.id, role=clerk) is Outcome.DONE


async def test_role_with_permissions_is_given_with_a_proof_only(client: Visitor, support: str) -> None:
    """As the role admin is: a copied cookie must not make anybody more powerful."""
    admin, user = await make_user(role="admin"), await make_user()
    await sign_in(client, admin)
    path = f"/admin/users/{user.id}/edit"

    assert (await client.submit(path, {"name": "Ann", "role": support})).status_code == 422
    assert (
        await client.submit(path, {"name": "Ann", "role": support, "current_password": PASSWORD})
    ).status_code == 303
