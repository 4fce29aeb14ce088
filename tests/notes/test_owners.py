"""Notes of other people: as if they were not there."""

import pytest
import sqlalchemy as sa

from app import db
from app.notes import store
from app.notes.models import note_rows
from tests.support.people import make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.database, pytest.mark.anyio]


# v5.0.0-8.2.2
async def test_another_persons_note_is_404_like_a_missing_one(client: Visitor) -> None:
    """v5.0.0-8.2.2"""
    owner, other = await make_user(), await make_user()
    await sign_in(client, owner)
    where = (await client.submit("/notes", {"title": "mine"})).headers["location"].split("?")[0]
    await sign_in(client, other)

    for method, path in (
        ("GET", where),
        ("POST", where),
        ("GET", f"{where}/edit"),
        ("GET", f"{where}/delete"),
        ("POST", f"{where}/delete"),
    ):
        send = client.visit if method == "GET" else client.submit
        assert (await send(path)).status_code == 404, path
    api = f"/api{where}"
    missing = await client.call("GET", f"/api/notes/{db.uuid7()}")
    for method, body in (("GET", None), ("PATCH", {"title": "stolen"}), ("DELETE", None)):
        answer = await client.call(method, api, json=body)
        assert answer.status_code == 404
        assert answer.json().keys() == missing.json().keys()
    assert [row.title for row in await db.fetch_all(sa.select(note_rows))] == ["mine"]


# v5.0.0-8.2.2
async def test_lists_hold_nothing_of_another_person(client: Visitor) -> None:
    owner, other = await make_user(), await make_user()
    await store.create(owner.id, "mine", "secret", "done")
    await sign_in(client, other)

    for path in ("/notes", "/notes?status=done", "/notes?q=mine", "/notes/export", "/api/notes?status=done"):
        assert "secret" not in (await client.visit(path)).text


# v5.0.0-8.2.2
async def test_administrator_learns_how_many_there_are_and_nothing_they_say(client: Visitor) -> None:
    owner = await make_user()
    await store.create(owner.id, "mine", "secret", "done")
    await sign_in(client, await make_user(role="admin"))

    page = (await client.visit("/admin/notes")).text

    assert '<span class="tile-number">1</span> <span>done</span>' in page
    assert '<a href="/admin/notes" aria-current="page">Notes</a>' in page
    assert not [word for word in ("mine", "secret", owner.email, str(owner.id)) if word in page]
