"""Notes in the browser: status, day and deletion; and long texts typed while the access token ended.

Of these a form of several lines, and four tabs that save at one moment.
"""

import re

import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.notes.models import note_rows
from e2e.support.people import sessions_of, sign_in
from e2e.support.traffic import Traffic
from e2e.test_staying_signed_in import TEXT, drop, nothing_can_be_written
from tests.support.people import Person
from tests.support.server import Server

LONG = "\n".join(f"{number:03}. {TEXT}" for number in range(70))


def bodies(server: Server, person: Person) -> list[str]:
    mine = sa.select(note_rows.c.body).where(note_rows.c.owner_id == person.id).order_by(note_rows.c.title)
    return [row.body for row in server.run(lambda: db.fetch_all(mine))]


def write(page: Page, title: str, body: str) -> None:
    page.goto("/notes/new")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Text").fill(body)


def test_form_left_open_arrives_with_every_line(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    write(page, "Left open", LONG)
    drop(page.context)

    page.get_by_role("button", name="Save note").click()

    expect(page.get_by_role("status")).to_contain_text("saved")
    assert [body.splitlines() for body in bodies(server, person)] == [LONG.splitlines()]
    assert [row.generation for row in sessions_of(server, person)] == [2]


def test_four_tabs_that_save_five_kilobytes_at_once_lose_none(
    context: BrowserContext, server: Server, person: Person
) -> None:
    """All four present the same refresh cookie, each with a body that has to come along."""
    sign_in(context, server, person)
    tabs = [context.new_page() for _ in range(4)]
    for number, tab in enumerate(tabs):
        write(tab, f"Tab {number}", f"{number}\n{LONG}")
    drop(context)
    traffic = Traffic(context)

    with nothing_can_be_written(server):
        for tab in tabs:
            tab.get_by_role("button", name="Save note").click(no_wait_after=True)
        while len([visit for visit in traffic.visits() if "/auth/resume?" in visit.url]) < len(tabs):
            context.wait_for_event("request")

    for tab in tabs:
        expect(tab).to_have_url(re.compile("notice=note_saved"))
    saved = bodies(server, person)
    assert [body.splitlines() for body in saved] == [[str(number), *LONG.splitlines()] for number in range(4)]
    assert min(len(body.encode()) for body in saved) > 5_000
    assert [(row.generation, row.revoked_at) for row in sessions_of(server, person)] == [(2, None)]


def test_note_has_a_status_and_a_day_and_is_deleted_after_a_question(
    page: Page, server: Server, person: Person
) -> None:
    sign_in(page.context, server, person)
    write(page, "Rope", "two metres")
    page.get_by_label("Status").select_option("In progress")
    page.get_by_label("Due on").fill("2026-12-24")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("article")).to_contain_text("Due 24 December 2026")

    page.goto("/notes")
    page.get_by_label("Status").select_option("Done")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="No note found")).to_be_visible()
    page.get_by_label("Status").select_option("In progress")
    page.get_by_role("button", name="Search").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert "two metres" in download.value.path().read_text("utf-8-sig")

    page.get_by_role("link", name="Rope").click()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("heading", name="Delete this note?")).to_be_visible()
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete note").click()
    expect(page.get_by_role("status")).to_contain_text("deleted")
    assert bodies(server, person) == []
