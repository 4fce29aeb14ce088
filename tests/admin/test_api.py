"""People as JSON: the rules of the pages, and nothing in a body but what may be changed."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import user_rows
from tests.support import forge
from tests.support.people import Person, make_user, start_session
from tests.support.sent import bearer
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
FIELDS = {
    "id", "email", "name", "role", "is_active", "must_change_password", "created_at", "last_login", "sessions",
}  # fmt: skip


class Program:
    """A client with a bearer token of an admin."""

    def __init__(self, client: Visitor, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.headers)

    async def patch(self, user_id: Any, body: Any) -> httpx.Response:
        return await self.client.patch(f"/api/admin/users/{user_id}", json=body, headers=self.headers)


@pytest.fixture
async def admin(database: str) -> Person:
    return await make_user(role="admin", name="Ada Admin")


@pytest.fixture
async def program(client: Visitor, admin: Person) -> Program:
    return Program(client, bearer(await start_session(admin)))


async def row_of(person: Person) -> Any:
    return await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == person.id))


async def test_list_goes_on_to_its_end(program: Program) -> None:
    made = {(await make_user()).email for _ in range(55)}

    first = (await program.get("/api/admin/users?role=user")).json()
    second = (await program.get(f"/api/admin/users?role=user&cursor={first['next_cursor']}")).json()

    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (50, 5, None)
    assert {item["email"] for item in first["items"] + second["items"]} == made


# v5.0.0-15.3.1
async def test_person_has_these_fields_and_no_secret(program: Program) -> None:
    """v5.0.0-14.2.6"""
    person = await make_user()

    shown = (await program.get(f"/api/admin/users/{person.id}")).json()
    listed = (await program.get(f"/api/admin/users?q={person.email}")).json()["items"]

    assert set(shown) == FIELDS
    assert listed == [shown]
    assert "argon2" not in str(shown)


@pytest.mark.parametrize(
    ("query", "field"),
    [("role=root", "role"), ("status=maybe", "status"), ("sort=password", "sort"), ("cursor=1", "cursor")],
)
async def test_query_that_cannot_be_understood_is_422(program: Program, query: str, field: str) -> None:
    answer = await program.get(f"/api/admin/users?{query}")

    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


async def test_patch_changes_what_it_names(program: Program) -> None:
    person = await make_user()

    answer = await program.patch(person.id, {"name": "New Name", "role": "admin", "is_active": False})

    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["role"], answer.json()["is_active"]) == ("New Name", "admin", False)
    row = await row_of(person)
    assert (row.name, row.role, row.is_active, row.email) == ("New Name", "admin", False, person.email)


# v5.0.0-15.3.3, v5.0.0-8.2.3
@pytest.mark.parametrize(
    "body",
    [
        {"password": "chosen by an admin"},
        {"email": "other@example.com"},
        {"must_change_password": False},
        {"id": "01a20b13-1ac5-7880-b8cb-dc794c22012c"},
        {"role": "root"},
        {"role": ["admin"]},
        {"is_active": "false"},
        {"is_active": 0},
        {"name": ""},
        {"name": "a\u0000b"},
        [],
        "x",
    ],
)
async def test_body_with_anything_else_is_422_and_changes_nothing(program: Program, body: Any) -> None:
    """AC-148, v5.0.0-15.3.3"""
    person = await make_user()
    before = await row_of(person)

    answer = await program.patch(person.id, body if not isinstance(body, dict) else {"name": "New Name"} | body)

    assert answer.status_code == 422
    assert await row_of(person) == before


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
async def test_body_of_another_type_is_415(program: Program, kind: str) -> None:
    """AC-143"""
    person = await make_user()
    headers = program.headers | {"Content-Type": kind}

    answer = await program.client.patch(f"/api/admin/users/{person.id}", content=b'{"role":"admin"}', headers=headers)

    assert answer.status_code == 415
    assert (await row_of(person)).role == "user"


# v5.0.0-7.5.3
async def test_old_password_is_401_with_the_challenge(client: Visitor, admin: Person) -> None:
    """RFC 9470 section 3"""
    pair, person = await start_session(admin), await make_user()
    old = forge.resign(pair.access_token, auth_time=int(db.utcnow().timestamp()) - 3600)
    program = Program(client, {"Authorization": f"Bearer {old}"})

    listed, changed = await program.get("/api/admin/users"), await program.patch(person.id, {"role": "admin"})

    assert listed.status_code == 200
    assert changed.status_code == 401
    assert 'error="insufficient_user_authentication", max_age="600"' in changed.headers["www-authenticate"]
    assert (await row_of(person)).role == "user"


async def test_oneself_and_the_unknown(program: Program, admin: Person) -> None:
    await make_user(role="admin")

    assert (await program.patch(admin.id, {"role": "user"})).status_code == 409
    assert (await program.patch(db.uuid7(), {"role": "user"})).status_code == 404
    assert (await program.get("/api/admin/users/1")).status_code == 404
    assert (await row_of(admin)).role == "admin"


# v5.0.0-8.2.1
async def test_who_is_no_admin_reads_and_changes_nothing(client: Visitor) -> None:
    """AC-139"""
    person = await make_user()
    program = Program(client, bearer(await start_session(person)))

    assert (await program.get("/api/admin/users")).status_code == 403
    assert (await program.get(f"/api/admin/users/{person.id}")).status_code == 403
    assert (await program.patch(person.id, {"role": "admin"})).status_code == 403
    assert (await row_of(person)).role == "user"
