"""People as JSON: the rules of the pages, and nothing in a body but what may be changed."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.admin import actions
from app.audit import events
from app.auth.models import user_rows
from app.email.models import email_rows
from tests.support import forge, secrets
from tests.support.people import PASSWORD, Person, make_user, sign_in, start_session
from tests.support.phone import with_a_phone
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

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.client.post(path, json=body, headers=self.headers)

    async def patch(self, user_id: Any, body: Any) -> httpx.Response:
        return await self.client.patch(f"/api/admin/users/{user_id}", json=body, headers=self.headers)


@pytest.fixture
async def admin(database: str) -> Person:
    return await make_user(role="admin", name="Ada Admin")


@pytest.fixture
async def program(client: Visitor, admin: Person) -> Program:
    return Program(client, bearer(await start_session(admin, program=True)))


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
    [
        ("role=root", "role"),
        ("verified=maybe", "verified"),
        ("status=maybe", "status"),
        ("sort=password", "sort"),
        ("cursor=1", "cursor"),
    ],
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


async def test_invitation_creates_an_account_and_queues_an_email(program: Program) -> None:
    asked = {"email": "Nia@example.com", "name": "Nia New", "role": "user"}

    made, again = await program.post("/api/admin/users", asked), await program.post("/api/admin/users", asked)

    assert (made.status_code, made.json()["email"], made.json()["role"]) == (201, "Nia@example.com", "user")
    assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "email")
    email_messages = await db.fetch_all(sa.select(email_rows))
    assert [(email_message.kind, str(email_message.user_id)) for email_message in email_messages] == [
        ("invite", made.json()["id"])
    ]


async def test_every_action_of_the_pages_is_there(program: Program) -> None:
    person = await make_user()
    for _ in range(2):
        await start_session(person)
    place = f"/api/admin/users/{person.id}"
    (first, second) = (await program.get(f"{place}/sessions")).json()["items"]

    one = (await program.post(f"{place}/sessions/{first['id']}/end")).json()["sessions"]
    none = (await program.post(f"{place}/end-sessions", {})).json()["sessions"]
    wanted = (await program.post(f"{place}/require-new-password")).json()["must_change_password"]
    unwanted = (await program.post(f"{place}/allow-old-password")).json()["must_change_password"]
    sent = await program.post(f"{place}/send-link")
    closed = (await program.post(f"{place}/deactivate")).json()["is_active"]
    refused = await program.post(f"{place}/send-link")
    opened = (await program.post(f"{place}/reactivate")).json()["is_active"]

    assert first["id"] != second["id"]
    assert (one, none, wanted, unwanted, closed, opened) == (1, 0, True, False, False, True)
    assert (sent.status_code, refused.status_code) == (200, 409)
    assert [email_message.kind for email_message in await db.fetch_all(sa.select(email_rows))] == ["reset"]
    for unknown in (f"{place}/promote", f"{place}/sessions/{db.uuid7()}/end", "/api/admin/users/1/deactivate"):
        assert (await program.post(unknown)).status_code == 404


@pytest.mark.parametrize("place", ["{id}/deactivate", "{id}/sessions/{sid}/end", ""])
async def test_unknown_field_of_an_action_is_422_and_nothing_is_done(program: Program, place: str) -> None:
    """v5.0.0-15.3.3"""
    person = await make_user()
    sid = forge.claims((await start_session(person)).access_token)["sid"]
    asked = {} if place else {"email": "nia@example.com", "name": "Nia", "role": "user"}

    path = "/api/admin/users/" + place.format(id=person.id, sid=sid)
    answer = await program.post(path.rstrip("/"), asked | {"password": "chosen by an admin"})

    assert answer.status_code == 422
    assert (await row_of(person)).is_active
    assert len((await program.get(f"/api/admin/users/{person.id}/sessions")).json()["items"]) == 1
    assert await db.fetch_all(sa.select(email_rows)) == []


async def test_admins_cannot_do_this_to_their_own_account(program: Program, admin: Person) -> None:
    await make_user(role="admin")
    sid = forge.claims(program.headers["Authorization"].removeprefix("Bearer "))["sid"]

    for place in (*actions.ACTIONS, f"sessions/{sid}/end"):
        assert (await program.post(f"/api/admin/users/{admin.id}/{place}")).status_code == 409

    assert (await program.get(f"/api/admin/users/{admin.id}")).json()["sessions"] == 1


async def test_audit_log_is_filtered_and_paged_to_its_end(program: Program, admin: Person) -> None:
    person = await make_user()
    for _ in range(55):
        await events.record(events.LOGIN, user_id=person.id, actor_id=person.id)
    await program.patch(person.id, {"role": "admin"})
    place = f"/api/admin/audit?person={person.email}&event="

    first = (await program.get(f"{place}login")).json()
    second = (await program.get(f"{place}login&cursor={first['next_cursor']}")).json()
    (changed,) = (await program.get(f"{place}role_changed")).json()["items"]

    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (50, 5, None)
    assert (changed["about_email"], changed["by_email"], changed["detail"]) == (
        person.email, admin.email, "user to admin",
    )  # fmt: skip
    refused = await program.get("/api/admin/audit?event=nonsense&since=x")
    assert refused.status_code == 422
    assert {fault["field"] for fault in refused.json()["errors"]} == {"event", "since"}
    for far in ("since=0001-01-01", "until=9999-12-31"):
        assert (await program.get(f"/api/admin/audit?{far}")).status_code == 422


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


GIVING = [
    ("POST", "", {"email": "nia@example.com", "name": "Nia", "role": "admin"}),
    ("PATCH", "/{id}", {"role": "admin"}),
    ("PATCH", "/{id}", {"is_active": True}),
    ("POST", "/{id}/reactivate", {}),
    ("POST", "/{id}/allow-old-password", {}),
    ("POST", "/{id}/remove-second-factor", {}),
]


# v5.0.0-7.5.3
@pytest.mark.parametrize(("method", "place", "body"), GIVING)
@pytest.mark.parametrize("way", ["cookie", "bearer"])
async def test_what_was_in_a_cookie_gives_nobody_anything_without_a_proof(
    client: Visitor, admin: Person, method: str, place: str, body: dict[str, Any], way: str
) -> None:
    """A copy of the cookie works as bearer token as well: it is the session that tells a browser from a program."""
    person = await make_user()
    await with_a_phone(person)
    values = {"is_active": place == "/{id}/remove-second-factor", "must_change_password": True}
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(values))
    pair = await sign_in(client, admin)
    headers = bearer(pair) if way == "bearer" else {}
    before = await db.fetch_all(sa.select(user_rows).order_by(user_rows.c.id))

    for proof, field in (({}, "current_password"), ({"current_password": "wrong passphrase"}, "current_password")):
        answer = await client.call(
            method, f"/api/admin/users{place.format(id=person.id)}", json=body | proof, headers=headers
        )
        assert answer.status_code == 422
        assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert await db.fetch_all(sa.select(user_rows).order_by(user_rows.c.id)) == before

    right = body | {"current_password": PASSWORD}
    done = await client.call(method, f"/api/admin/users{place.format(id=person.id)}", json=right, headers=headers)
    assert done.status_code in (200, 201)
    assert await db.fetch_all(sa.select(user_rows).order_by(user_rows.c.id)) != before


async def test_what_takes_away_needs_no_proof(client: Visitor, admin: Person) -> None:
    person = await make_user(role="admin")
    await sign_in(client, admin)
    place = f"/api/admin/users/{person.id}"

    for body in ({"name": "Another Name", "role": "admin"}, {"role": "user"}, {"is_active": False}):
        assert (await client.call("PATCH", place, json=body)).status_code == 200
    row = await row_of(person)
    assert (row.name, row.role, row.is_active) == ("Another Name", "user", False)


async def test_program_that_signed_in_itself_needs_no_proof(client: Visitor, admin: Person) -> None:
    person = await make_user()
    login = await client.post("/api/auth/login", json={"email": admin.email, "password": PASSWORD})
    secrets.keep(login.json()["access_token"], login.json()["refresh_token"])
    renewed = await client.post("/api/auth/refresh", json={"refresh_token": login.json()["refresh_token"]})
    secrets.keep(renewed.json()["access_token"], renewed.json()["refresh_token"])

    for answer in (login, renewed):
        program = Program(client, {"Authorization": f"Bearer {answer.json()['access_token']}"})
        for role in ("admin", "user"):
            assert (await program.patch(person.id, {"role": role})).status_code == 200
