"""The admin area in a browser: reading, searching, taking lists away, with and without a mouse, a script, a screen."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.audit import events
from e2e.support.people import sign_in
from e2e.test_keyboard import tab_to
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.server import Server


@pytest.fixture
def admin(server: Server) -> Person:
    return server.run(lambda: make_user(role="admin", name="Alex Admin"))


@pytest.fixture
def desk(page: Page, server: Server, admin: Person) -> Page:
    sign_in(page.context, server, admin)
    return page


def test_person_is_searched_found_and_opened(desk: Page, server: Server) -> None:
    person = server.run(lambda: make_user(name="Zoë Searched", email="zs@search.example"))
    desk.goto("/admin")
    desk.get_by_role("link", name="People").first.click()
    desk.get_by_label("Search people").fill("searched ZO")
    desk.get_by_label("State").select_option("Active")
    desk.get_by_role("button", name="Search").click()

    expect(desk.get_by_label("State")).to_have_value("active")
    desk.get_by_role("row", name=person.email).get_by_role("link", name="Zoë Searched", exact=True).click()

    expect(desk.get_by_role("heading", level=1)).to_have_text("Zoë Searched")
    expect(desk).to_have_url(re.compile(f"/admin/users/{person.id}$"))


def test_charts_have_names_for_a_screen_reader_and_a_table_for_everybody(desk: Page, server: Server) -> None:
    server.run(lambda: events.record(events.LOGIN_FAILED))
    desk.goto("/admin")

    chart = desk.get_by_role("img", name="Wrong passwords a day")
    expect(chart).to_be_visible()
    expect(chart).to_have_accessible_description(re.compile(r"^\d+ in 30 days, at most \d+ on \d{4}-\d\d-\d\d\.$"))
    desk.get_by_text("Wrong passwords a day as a table").click()

    table = desk.get_by_role("table", name="Wrong passwords a day")
    expect(table.get_by_role("row")).to_have_count(31)
    expect(table.get_by_role("rowheader").first).to_have_text(f"{db.utcnow():%Y-%m-%d}")


def test_list_is_taken_away_as_a_file_that_opens(desk: Page, server: Server, tmp_path: Path) -> None:
    server.run(lambda: make_user(name="=1+1", email="formula@csv.example"))
    server.run(lambda: make_user(name="Zoë", email="zoe@csv.example"))
    desk.goto("/admin/users?q=csv")
    desk.get_by_role("link", name="Download as CSV").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text("Download people as CSV?")

    with desk.expect_download() as download:
        desk.get_by_role("button", name="Download CSV").click()

    assert re.fullmatch(r"lanyard-people-\d{4}-\d\d-\d\d\.csv", download.value.suggested_filename)
    file = tmp_path / "people.csv"
    download.value.save_as(file)
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert {row["name"] for row in rows} == {"'=1+1", "Zoë"}


def test_event_shows_its_fields_when_asked(desk: Page, server: Server, admin: Person) -> None:
    person = server.run(make_user)
    server.run(lambda: events.record(events.STEP_UP_FAILED, user_id=person.id))
    desk.goto("/admin/audit")
    desk.get_by_label("Person").fill(person.email)
    desk.get_by_label("Event").select_option(events.WORDS[events.STEP_UP_FAILED])
    desk.get_by_role("button", name="Show").click()
    fields = desk.get_by_role("table").locator("code")
    expect(fields.filter(has_text=str(person.id))).to_be_hidden()

    desk.get_by_text("Fields").click()

    expect(fields.filter(has_text=str(person.id))).to_be_visible()


def test_nonsense_in_a_filter_is_told_and_kept(desk: Page) -> None:
    desk.goto("/admin/audit")
    desk.get_by_label("Address", exact=True).fill("not an address")
    desk.get_by_role("button", name="Show").click()

    expect(desk.get_by_role("alert")).to_be_focused()
    expect(desk.get_by_label("Address", exact=True)).to_have_value("not an address")
    expect(desk.get_by_label("Address", exact=True)).to_have_accessible_description(
        re.compile("Give an address such as")
    )


def test_invited_person_is_told_apart(desk: Page) -> None:
    desk.goto("/admin/users/new")
    desk.get_by_label("E-mail").fill("nia.invited@example.com")
    desk.get_by_label("Name").fill("Nia Invited")
    desk.get_by_label("Your password").fill(PASSWORD)
    desk.get_by_role("button", name="Send the invitation").click()

    expect(desk.get_by_role("status")).to_have_text("The account is made, and an invitation is on its way.")
    expect(desk.get_by_role("main")).to_contain_text("invited")
    expect(desk.get_by_role("link", name="Send the invitation once more")).to_be_visible()


def test_one_session_of_two_is_ended(
    desk: Page, new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    phone, laptop = new_context(), new_context()
    sign_in(phone, server, person)
    sign_in(laptop, server, person)
    desk.goto(f"/admin/users/{person.id}")
    sessions = desk.get_by_role("table", name="Live sessions")
    expect(sessions.get_by_role("row")).to_have_count(3)

    sessions.get_by_role("link", name="End the session").first.click()
    desk.get_by_role("button", name="End session").click()

    expect(desk.get_by_role("status")).to_have_text("The session is ended.")
    expect(desk.get_by_role("table", name="Live sessions").get_by_role("row")).to_have_count(2)
    headings = []
    for context in (phone, laptop):
        theirs = context.new_page()
        theirs.goto("/dashboard")
        headings.append(theirs.get_by_role("heading", level=1).inner_text())
    assert sorted(headings) == [f"Hello, {person.name}", "Sign in"]


def test_role_change_is_undone(desk: Page, person: Person) -> None:
    desk.goto(f"/admin/users/{person.id}/edit")
    desk.get_by_label("Role").select_option("Admin")
    desk.get_by_label("Your password").fill(PASSWORD)
    desk.get_by_role("button", name="Save").click()
    expect(desk.get_by_role("status")).to_contain_text("The role is changed.")

    desk.get_by_role("button", name="Undo: user again").click()

    expect(desk.get_by_role("main").get_by_text("admin", exact=True)).to_have_count(0)


def test_everything_by_keyboard(desk: Page, person: Person) -> None:
    desk.goto("/admin/users")
    tab_to(desk, desk.get_by_label("Search people"))
    desk.keyboard.type(person.email)
    desk.keyboard.press("Enter")
    row = desk.get_by_role("row", name=person.email)
    expect(row).to_be_visible()
    tab_to(desk, row.get_by_role("link", name=f"Deactivate {person.name}"))
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Deactivate this person?")
    tab_to(desk, desk.get_by_role("button", name="Deactivate"))
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("status")).to_be_visible()
    tab_to(desk, desk.get_by_role("link", name="Undo: reactivate"))
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Reactivate this person?")
    tab_to(desk, desk.get_by_label("Your password"))
    desk.keyboard.type(PASSWORD)
    tab_to(desk, desk.get_by_role("button", name="Reactivate"))
    desk.keyboard.press("Enter")

    expect(desk.get_by_role("status")).to_have_text("The account is active again.")


def test_everything_without_javascript(
    new_context: Callable[..., BrowserContext], server: Server, admin: Person, person: Person
) -> None:
    context = new_context(java_script_enabled=False)
    sign_in(context, server, admin)
    page = context.new_page()
    page.goto("/admin/users")
    page.get_by_label("Search people").fill(person.email)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("row", name=person.email).get_by_role("link", name=person.name, exact=True).click()
    page.get_by_role("link", name="Require a new password").click()
    page.get_by_role("button", name="Require it").click()
    expect(page.get_by_role("main")).to_contain_text("new password wanted")

    page.get_by_role("link", name="Undo: keep the password").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Stop asking").click()

    expect(page.get_by_role("status")).to_have_text("The password need not be changed any more.")


def test_forced_change_leads_the_person_to_the_password_page(
    desk: Page, new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    context = new_context()
    sign_in(context, server, person)
    theirs = context.new_page()
    theirs.goto("/dashboard")
    desk.goto(f"/admin/users/{person.id}/require-new-password")
    desk.get_by_role("button", name="Require it").click()
    expect(desk.get_by_role("status")).to_be_visible()

    theirs.get_by_role("link", name="signed in as").click()

    expect(theirs).to_have_url(re.compile("/account/password"))


def test_printed_list_has_the_list_and_nothing_to_press(desk: Page, server: Server, person: Person) -> None:
    server.run(lambda: start_session(person))
    desk.goto(f"/admin/users?q={person.email}")
    desk.emulate_media(media="print")

    expect(desk.get_by_role("rowheader")).to_contain_text(person.email)
    expect(desk.get_by_role("columnheader", name="Last sign-in")).to_be_visible()
    for name in ("Search", "Sign out"):
        expect(desk.get_by_role("button", name=name)).to_be_hidden()
    expect(desk.get_by_role("link", name=f"Deactivate {person.name}")).to_be_hidden()
