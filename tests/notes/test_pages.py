"""Notes as pages: what is typed is kept or explained, and search and paging show the owner's notes alone."""

import csv
import io
from datetime import date

import pytest
import sqlalchemy as sa

from app import db
from app.notes import store
from app.notes.models import note_rows
from tests.support.people import make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.database, pytest.mark.anyio]


FULL = {"title": "Buy rope", "body": "two metres", "status": "in_progress", "due_on": "2026-12-24"}


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


async def test_status_and_day_are_stored_shown_and_offered_again(client: Visitor) -> None:
    person = await make_user()
    await sign_in(client, person)

    path = (await client.submit("/notes", FULL)).headers["location"].split("?")[0]

    (note,) = await db.fetch_all(sa.select(note_rows))
    assert (note.status, note.due_on) == ("in_progress", date(2026, 12, 24))
    for where in (path, "/notes"):
        page = (await client.visit(where)).text
        assert "In progress" in page
        assert '<time datetime="2026-12-24">24 December 2026</time>' in page
    form = (await client.visit(f"{path}/edit")).text
    assert '<option value="in_progress" selected>' in form
    assert 'value="2026-12-24"' in form
    await client.submit(path, FULL | {"due_on": ""})
    (note,) = await db.fetch_all(sa.select(note_rows))
    assert note.due_on is None


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"status": "forgotten"}, "status", "Choose one of the listed values."),
        ({"due_on": "tomorrow"}, "due_on", "Enter a date such as 2026-01-31."),
        ({"due_on": "2026-02-30"}, "due_on", "Enter a date such as 2026-01-31."),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field_and_the_rest_is_kept(
    client: Visitor, wrong: dict[str, str], field: str, message: str
) -> None:
    await sign_in(client, await make_user())

    answer = await client.submit("/notes", FULL | wrong)

    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}-error"' in answer.text
    assert message in answer.text
    assert "two metres" in answer.text
    assert await titles() == []


async def test_list_is_filtered_by_status_and_goes_on_with_the_filter(client: Visitor) -> None:
    person = await make_user()
    await sign_in(client, person)
    for number in range(store.PAGE + 1):
        await store.create(person.id, f"done {number}", "", "done")
        await store.create(person.id, f"open {number}", "")

    page = (await client.visit("/notes?status=done")).text

    assert "done 20" in page
    assert "open 20" not in page
    assert "/notes?status=done&amp;cursor=" in page


async def test_csv_holds_every_note_of_the_list(client: Visitor) -> None:
    person = await make_user()
    await sign_in(client, person)
    for number in range(store.PAGE + 1):
        await store.create(person.id, f"=note {number}", "", "done", date(2026, 12, 24))
    await store.create(person.id, "not done", "")

    answer = await client.visit("/notes/export?status=done")

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert [row["title"] for row in rows] == [f"'=note {number}" for number in reversed(range(store.PAGE + 1))]
    assert {(row["status"], row["due_on"]) for row in rows} == {("done", "2026-12-24")}
    assert (await client.visit("/notes/export?status=forgotten")).status_code == 422


async def test_deletion_asks_first_and_says_what_it_is_about(client: Visitor) -> None:
    person = await make_user()
    await sign_in(client, person)
    note = await store.create(person.id, "<b>Rope", "")

    page = (await client.visit(f"/notes/{note.id}/delete")).text

    assert "Delete this note?" in page
    assert "&lt;b&gt;Rope" in page
    assert f'<form class="actions" action="/notes/{note.id}/delete" method="post">' in page
    assert await titles() == ["<b>Rope"]
