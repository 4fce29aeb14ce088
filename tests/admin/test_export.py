"""CSV files: complete, quoted, no formula in them, streamed from the database, and recorded in the audit log."""

import csv
import io
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.admin import downloads
from app.admin.users import PeopleFilters
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import user_rows
from app.web import csv_export
from tests.support.clock import Clock
from tests.support.people import Person, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin_area(client: Visitor) -> Visitor:
    await sign_in(client, await make_user(role="admin", name="Ada Admin"))
    return client


def table(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def test_people_are_all_in_the_file(admin_area: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_export, "CHUNK", 3)
    made = {str((await make_user()).id) for _ in range(10)}

    rows = table(await admin_area.submit("/admin/users/export?role=user&sort=name"))

    assert {row["id"] for row in rows} == made
    assert len(rows) == 10
    assert set(rows[0]) == set(downloads.PEOPLE)


# v5.0.0-5.4.1, v5.0.0-5.4.2
async def test_file_has_a_name_and_is_kept_by_nobody(admin_area: Visitor, clock: Clock) -> None:
    answer = await admin_area.submit("/admin/users/export")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    day = f"{clock.now:%Y-%m-%d}"
    assert answer.headers["content-disposition"] == f'attachment; filename="lanyard-people-{day}.csv"'


# v5.0.0-1.2.10
@pytest.mark.parametrize(
    "name",
    [
        '=HYPERLINK("http://evil.example","x")', "+1+1", "-2+3", "@SUM(A1)", "\uff1d1+1", "'=1+1", 'a"b', "a,b;c",
        "<script>alert(1)</script>", "\U0001f469\u200d\U0001f680",
    ],
)  # fmt: skip
async def test_no_cell_is_a_formula_and_none_breaks_out(admin_area: Visitor, name: str) -> None:
    """AC-152, v5.0.0-1.2.10"""
    person = await make_user(name=name)

    answer = await admin_area.submit(f"/admin/users/export?q={person.id}")

    (row,) = table(answer)
    dangerous = name[0] in "=+-@\uff1d"
    assert row["name"] == (f"'{name}" if dangerous else name)
    assert row["email"] == person.email
    for line in answer.text.lstrip("\ufeff").splitlines():
        assert line.startswith('"')
        assert line.endswith('"')


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", "=", "+", "-", "@"])
def test_start_that_a_spreadsheet_takes_for_a_formula_is_disarmed(text: str) -> None:
    assert csv_export.cell(text) == f"'{text}"


async def test_audit_log_is_exported_as_it_was_filtered(admin_area: Visitor) -> None:
    person = await make_user()
    for _ in range(3):
        await events.record(events.LOGIN, user_id=person.id, actor_id=person.id)
    await events.record(events.LOGOUT, user_id=person.id, actor_id=person.id)

    rows = table(await admin_area.submit(f"/admin/audit/export?event=login&person={person.email}"))

    assert [(row["event"], row["about_email"]) for row in rows] == [("login", person.email)] * 3


@pytest.mark.parametrize(
    ("path", "event", "detail"),
    [
        ("/admin/users/export", events.USERS_EXPORTED, ""),
        ("/admin/users/export?q=secret+search&role=user&sort=name", events.USERS_EXPORTED, "chosen by q, role"),
        ("/admin/audit/export?since=2026-01-01", events.AUDIT_EXPORTED, "chosen by since"),
    ],
)
async def test_export_is_remembered_without_what_was_typed(
    admin_area: Visitor, path: str, event: str, detail: str
) -> None:
    await admin_area.visit(path)
    assert await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == event)) is None

    await admin_area.submit(path)

    row = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == event))
    admin = await db.fetch_value(sa.select(user_rows.c.id).where(user_rows.c.role == "admin"))
    assert (row.actor_id, row.detail) == (admin, detail)


@pytest.mark.parametrize(
    "path",
    [
        "/admin/audit/export?until=9999-12-31&event=login",
        "/admin/audit/export?since=0001-01-01",
        "/admin/audit/export?since=yesterday",
        "/admin/users/export?role=owner",
    ],
)
async def test_filter_that_cannot_be_understood_gives_no_file(admin_area: Visitor, path: str) -> None:
    """Left out, it would make the file hold more than was asked for."""
    for answer in (await admin_area.visit(path), await admin_area.submit(path)):
        assert answer.status_code == 422
        assert "text/html" in answer.headers["content-type"]
    assert await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == events.AUDIT_EXPORTED)) is None


async def test_page_before_the_file_says_what_will_be_in_it(admin_area: Visitor) -> None:
    page = (await admin_area.visit("/admin/users/export?q=%3Cb%3E&role=admin")).text

    assert "&lt;b&gt;" in page
    assert 'action="/admin/users/export?q=%3Cb%3E&amp;role=admin' in page


async def test_file_is_written_piece_by_piece(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred thousand people a thousand are in memory."""
    monkeypatch.setattr(csv_export, "CHUNK", 2)
    for _ in range(5):
        await make_user()
    response = downloads.people(PeopleFilters())

    pieces = [piece async for piece in response.body_iterator]

    assert [piece.count("\r\n") for piece in pieces] == [1, 2, 2, 1]


async def test_person_who_disappears_meanwhile_does_not_begin_the_list_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_export, "CHUNK", 2)
    people: list[Person] = [await make_user() for _ in range(6)]
    pieces: list[Any] = []

    async for piece in downloads.people(PeopleFilters()).body_iterator:
        pieces.append(piece)
        if len(pieces) == 2:  # the two newest are out; the next piece begins behind the second of them
            await db.execute(sa.delete(user_rows).where(user_rows.c.id == people[-2].id))
        assert len(pieces) < 10

    text = "".join(pieces)
    assert all(text.count(str(person.id)) == 1 for person in people)
