"""Notes as pages: what is typed is kept or explained, and search and paging show the owner's notes alone."""

import pytest
import sqlalchemy as sa

from app import db
from app.notes import store
from app.notes.models import note_rows
from tests.support.people import make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


async def titles() -> list[str]:
    return [row.title for row in await db.fetch_all(sa.select(note_rows).order_by(note_rows.c.id))]


async def test_note_is_made_shown_changed_and_deleted(client: Visitor) -> None:
    await sign_in(client, await make_user())

    made = await client.submit("/notes", {"title": " Buy rope ", "body": "one\r\ntwo"})
    path, notice = made.headers["location"].split("?")
    assert (made.status_code, notice) == (303, "notice=note_saved")
    shown = await client.visit(path)
    assert "Buy rope" in shown.text
    assert "The note is saved" in (await client.visit(made.headers["location"])).text
    changed = await client.submit(path, {"title": "Buy a strap", "body": ""})
    assert changed.status_code == 303
    assert await titles() == ["Buy a strap"]
    assert (await client.visit(f"{path}/delete")).status_code == 200
    assert await titles() == ["Buy a strap"]  # the confirmation page deletes nothing
    gone = await client.submit(f"{path}/delete")

    assert (gone.status_code, gone.headers["location"]) == (303, "/notes?notice=note_deleted")
    assert await titles() == []
    assert (await client.visit(path)).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "", "body": "kept text"},
        {"title": "x" * 121, "body": "kept text"},
        {"title": "a\x00b", "body": "kept text"},
    ],
)
async def test_bad_title_keeps_what_was_typed(client: Visitor, fields: dict[str, str]) -> None:
    await sign_in(client, await make_user())

    answer = await client.submit("/notes", fields)

    assert answer.status_code == 422
    assert "kept text" in answer.text
    assert 'aria-describedby="' in answer.text
    assert await titles() == []


# v5.0.0-1.2.1, v5.0.0-1.3.5, v5.0.0-3.2.2
async def test_markup_in_a_note_is_text(client: Visitor) -> None:
    await sign_in(client, await make_user())
    evil = "<script>alert(1)</script>{{7*7}}"

    where = (await client.submit("/notes", {"title": evil, "body": evil})).headers["location"]

    for path in (where, "/notes"):
        page = (await client.visit(path)).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page
        assert "{{7*7}}" in page


# v5.0.0-1.2.4
async def test_search_finds_in_title_and_body_without_case_and_without_wildcards(client: Visitor) -> None:
    person, other = await make_user(), await make_user()
    await sign_in(client, person)
    await store.create(person.id, "Straße", "nothing")
    await store.create(person.id, "100% sure", "ÄPFEL")
    await store.create(other.id, "Straße of another", "")

    for query, found in (
        ("STRASSE", ["Straße"]),
        ("äpfel", ["100% sure"]),
        ("0%", ["100% sure"]),
        ("%", ["100% sure"]),
        ("_", []),
    ):
        answer = await client.call("GET", "/api/notes", params={"q": query})
        assert [note["title"] for note in answer.json()["items"]] == found, query


async def test_pages_go_on_where_the_last_one_ended(client: Visitor) -> None:
    person = await make_user()
    await sign_in(client, person)
    for number in range(45):
        await store.create(person.id, f"note {number}", "")
    seen, cursor = [], None
    while True:
        body = (await client.call("GET", "/api/notes", params={"cursor": cursor} if cursor else {})).json()
        seen += [note["title"] for note in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break

    assert seen == [f"note {number}" for number in reversed(range(45))]
    assert "cursor=" in (await client.visit("/notes")).text


async def test_odd_cursor_is_ignored_by_the_page_and_refused_by_the_api(client: Visitor) -> None:
    await sign_in(client, await make_user())

    assert (await client.visit("/notes?cursor=%27--")).status_code == 200
    assert (await client.call("GET", "/api/notes?cursor=1")).status_code == 422
