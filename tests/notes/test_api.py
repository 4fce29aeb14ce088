"""Notes as JSON: statuses, Location, and no field that is not ours to set."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.notes.models import note_rows
from tests.support.people import Person, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.database, pytest.mark.anyio]


@pytest.fixture
async def person(client: Visitor) -> Person:
    person = await make_user()
    await sign_in(client, person)
    return person


async def test_life_of_a_note(client: Visitor, person: Person) -> None:
    made = await client.call("POST", "/api/notes", json={"title": "First", "body": "b"})
    assert made.status_code == 201
    path = made.headers["location"]
    assert path == f"/api/notes/{made.json()['id']}"
    assert made.json().keys() == {"id", "title", "body", "status", "due_on", "created_at", "updated_at"}
    assert (made.json()["status"], made.json()["due_on"]) == ("open", None)

    changed = await client.call("PATCH", path, json={"title": "Second", "due_on": "2026-12-24"})
    assert (changed.json()["title"], changed.json()["body"], changed.json()["due_on"]) == ("Second", "b", "2026-12-24")
    changed = await client.call("PATCH", path, json={"status": "done", "title": None, "body": None})
    assert (changed.json()["title"], changed.json()["status"], changed.json()["due_on"]) == (
        "Second", "done", "2026-12-24"
    )  # fmt: skip
    changed = await client.call("PATCH", path, json={"due_on": None})
    assert (changed.json()["status"], changed.json()["due_on"]) == ("done", None)
    assert (await client.call("GET", path)).json() == changed.json()

    gone = await client.call("DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.call("DELETE", path)).status_code == 404
    assert (await client.call("GET", "/api/notes")).json() == {"items": [], "next_cursor": None}


# v5.0.0-2.2.2
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": 7},
        {"title": None},
        {"title": "x" * 121},
        {"title": "x", "body": "y" * 20_001},
        {"title": "x\x00"},
        {"title": "x", "owner_id": "01a20b13-1ac5-7880-b8cb-dc794c22012c"},
        {"title": "x", "id": "01a20b13-1ac5-7880-b8cb-dc794c22012c"},
        {"title": "x", "created_at": "2020-01-01"},
        {"title": "x", "status": "forgotten"},
        {"title": "x", "status": ""},
        {"title": "x", "status": None},
        {"title": "x", "due_on": "24.12.2026"},
        {"title": "x", "due_on": "2026-02-30"},
        {"title": "x", "due_on": 20261224},
        {"title": "x", "due_on": ["2026-12-24"]},
        [],
        "x",
        None,
    ],
    ids=str,
)
async def test_bad_note_is_refused_and_nothing_is_stored(client: Visitor, person: Person, body: Any) -> None:
    """v5.0.0-15.3.3: no mass assignment."""
    answer = await client.call("POST", "/api/notes", json=body)

    assert answer.status_code == 422
    assert await db.fetch_all(sa.select(note_rows)) == []


# v5.0.0-15.3.7
async def test_body_cannot_name_another_note_than_the_path(client: Visitor, person: Person) -> None:
    """The framework lets a body override path parameters."""
    first = (await client.call("POST", "/api/notes", json={"title": "first"})).json()
    second = (await client.call("POST", "/api/notes", json={"title": "second"})).json()

    answer = await client.call("PATCH", f"/api/notes/{first['id']}", json={"title": "x", "note_id": second["id"]})

    assert answer.status_code == 422
    assert (await client.call("GET", f"/api/notes/{second['id']}")).json()["title"] == "second"


@pytest.mark.parametrize(
    "note_id", ["1", "x", "01a20b13-1ac5-7880-b8cb-dc794c22012c", "01A20B13-1AC5-7880-B8CB-DC794C22012C", "%00"]
)
async def test_id_that_is_none_is_404(client: Visitor, person: Person, note_id: str) -> None:
    assert (await client.call("GET", f"/api/notes/{note_id}")).status_code == 404


async def test_list_of_one_status(client: Visitor, person: Person) -> None:
    for status in ("open", "done", "in_progress", "done"):
        await client.call("POST", "/api/notes", json={"title": status, "status": status})

    found = (await client.call("GET", "/api/notes?status=done")).json()["items"]
    unknown = await client.call("GET", "/api/notes?status=forgotten")

    assert [note["title"] for note in found] == ["done", "done"]
    assert (unknown.status_code, unknown.json()["errors"]) == (
        422, [{"field": "status", "message": "Choose one of the listed values."}]
    )  # fmt: skip
