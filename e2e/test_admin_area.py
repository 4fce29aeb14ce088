"""The admin area in a browser: reading, searching, taking lists away, with and without a mouse, a script, a screen."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.audit import events
from e2e.support.header import choose
from e2e.support.people import sign_in
from e2e.test_keyboard import tab_to
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.server import Server


@pytest.fixture
def admin(server: Server) -> Person:
    return server.run(lambda: make_user(role="admin", name="Alex Admin"))


@pytest.fixture
def admin_area(page: Page, server: Server, admin: Person) -> Page:
    sign_in(page.context, server, admin)
    return page


def test_person_is_searched_found_and_opened(admin_area: Page, server: Server) -> None:
    person = server.run(lambda: make_user(name="Zoë Searched", email="zs@search.example"))
    admin_area.goto("/admin")
    admin_area.get_by_role("link", name="Users").first.click()
    admin_area.get_by_label("Search users").fill("searched ZO")
    admin_area.get_by_label("State").select_option("Active")
    admin_area.get_by_role("button", name="Search").click()

    expect(admin_area.get_by_label("State")).to_have_value("active")
    admin_area.get_by_role("row", name=person.email).get_by_role("link", name="Zoë Searched", exact=True).click()

    expect(admin_area.get_by_role("heading", level=1)).to_have_text("Zoë Searched")
    expect(admin_area).to_have_url(re.compile(f"/admin/users/{person.id}$"))


def test_charts_have_names_for_a_screen_reader_and_a_table_for_everybody(admin_area: Page, server: Server) -> None:
    server.run(lambda: events.record(events.LOGIN_FAILED))
    admin_area.goto("/admin")

    chart = admin_area.get_by_role("img", name="Wrong passwords per day")
    expect(chart).to_be_visible()
    expect(chart).to_have_accessible_description(re.compile(r"^\d+ in 30 days, at most \d+ on \d+ \w+ \d{4}\.$"))
    admin_area.get_by_text("Wrong passwords per day as a table").click()

    table = admin_area.get_by_role("table", name="Wrong passwords per day")
    expect(table.get_by_role("row")).to_have_count(31)
    expect(table.get_by_role("rowheader").first).to_have_text(f"{db.utcnow().day} {db.utcnow():%B %Y}")


def test_list_is_taken_away_as_a_file_that_opens(admin_area: Page, server: Server, tmp_path: Path) -> None:
    server.run(lambda: make_user(name="=1+1", email="formula@csv.example"))
    server.run(lambda: make_user(name="Zoë", email="zoe@csv.example"))
    admin_area.goto("/admin/users?q=csv")
    admin_area.get_by_role("link", name="Download as CSV").click()
    expect(admin_area.get_by_role("heading", level=1)).to_have_text("Download users as CSV?")

    with admin_area.expect_download() as download:
        admin_area.get_by_role("button", name="Download CSV").click()

    assert re.fullmatch(r"lanyard-people-\d{4}-\d\d-\d\d\.csv", download.value.suggested_filename)
    file = tmp_path / "people.csv"
    download.value.save_as(file)
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert {row["name"] for row in rows} == {"'=1+1", "Zoë"}


def test_event_shows_its_fields_when_asked(admin_area: Page, server: Server, admin: Person) -> None:
    person = server.run(make_user)
    server.run(lambda: events.record(events.STEP_UP_FAILED, user_id=person.id))
    admin_area.goto("/admin/audit")
    admin_area.get_by_label("User", exact=True).fill(person.email)
    admin_area.get_by_label("Event").select_option(events.EVENT_TEXT[events.STEP_UP_FAILED])
    admin_area.get_by_role("button", name="Show").click()
    fields = admin_area.get_by_role("table").locator("code")
    expect(fields.filter(has_text=str(person.id))).to_be_hidden()

    admin_area.get_by_text("Fields").click()

    expect(fields.filter(has_text=str(person.id))).to_be_visible()


def test_nonsense_in_a_filter_is_told_and_kept(admin_area: Page) -> None:
    admin_area.goto("/admin/audit")
    admin_area.get_by_label("IP address", exact=True).fill("not an address")
    admin_area.get_by_role("button", name="Show").click()

    expect(admin_area.get_by_role("alert")).to_be_focused()
    expect(admin_area.get_by_label("IP address", exact=True)).to_have_value("not an address")
    expect(admin_area.get_by_label("IP address", exact=True)).to_have_accessible_description(
        re.compile("Enter an IP address such as")
    )


def test_invited_person_is_told_apart(admin_area: Page) -> None:
    admin_area.goto("/admin/users/new")
    admin_area.get_by_label("E-mail").fill("nia.invited@example.com")
    admin_area.get_by_label("Name").fill("Nia Invited")
    admin_area.get_by_label("Your password").fill(PASSWORD)
    admin_area.get_by_role("button", name="Send the invitation").click()

    expect(admin_area.get_by_role("status")).to_have_text("The account is created, and an invitation is on its way.")
    expect(admin_area.get_by_role("main")).to_contain_text("invited")
    expect(admin_area.get_by_role("link", name="Send the invitation again")).to_be_visible()


def test_one_session_of_two_is_ended(
    admin_area: Page, new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    phone, laptop = new_context(), new_context()
    sign_in(phone, server, person)
    sign_in(laptop, server, person)
    admin_area.goto(f"/admin/users/{person.id}")
    sessions = admin_area.get_by_role("table", name="Active sessions")
    expect(sessions.get_by_role("row")).to_have_count(3)

    sessions.get_by_role("link", name="End the session").first.click()
    admin_area.get_by_role("button", name="End session").click()

    expect(admin_area.get_by_role("status")).to_have_text("The session has ended.")
    expect(admin_area.get_by_role("table", name="Active sessions").get_by_role("row")).to_have_count(2)
    headings = []
    for context in (phone, laptop):
        theirs = context.new_page()
        theirs.goto("/dashboard")
        headings.append(theirs.get_by_role("heading", level=1).inner_text())
    assert sorted(headings) == [f"Hello, {person.name}", "Sign in"]


def test_role_change_is_undone(admin_area: Page, person: Person) -> None:
    admin_area.goto(f"/admin/users/{person.id}/edit")
    admin_area.get_by_label("Role").select_option("Admin")
    admin_area.get_by_label("Your password").fill(PASSWORD)
    admin_area.get_by_role("button", name="Save").click()
    expect(admin_area.get_by_role("status")).to_contain_text("The role is changed.")

    admin_area.get_by_role("button", name="Undo: user again").click()

    expect(admin_area.get_by_role("main").get_by_text("admin", exact=True)).to_have_count(0)


def test_everything_by_keyboard(admin_area: Page, person: Person) -> None:
    admin_area.goto("/admin/users")
    tab_to(admin_area, admin_area.get_by_label("Search users"))
    admin_area.keyboard.type(person.email)
    admin_area.keyboard.press("Enter")
    row = admin_area.get_by_role("row", name=person.email)
    expect(row).to_be_visible()
    tab_to(admin_area, row.get_by_role("link", name=f"Deactivate {person.name}"))
    admin_area.keyboard.press("Enter")
    expect(admin_area.get_by_role("heading", level=1)).to_have_text("Deactivate this user?")
    tab_to(admin_area, admin_area.get_by_role("button", name="Deactivate"))
    admin_area.keyboard.press("Enter")
    expect(admin_area.get_by_role("status")).to_be_visible()
    tab_to(admin_area, admin_area.get_by_role("link", name="Undo: reactivate"))
    admin_area.keyboard.press("Enter")
    expect(admin_area.get_by_role("heading", level=1)).to_have_text("Reactivate this user?")
    tab_to(admin_area, admin_area.get_by_label("Your password"))
    admin_area.keyboard.type(PASSWORD)
    tab_to(admin_area, admin_area.get_by_role("button", name="Reactivate"))
    admin_area.keyboard.press("Enter")

    expect(admin_area.get_by_role("status")).to_have_text("The account is active again.")


def test_everything_without_javascript(
    new_context: Callable[..., BrowserContext], server: Server, admin: Person, person: Person
) -> None:
    context = new_context(java_script_enabled=False)
    sign_in(context, server, admin)
    page = context.new_page()
    page.goto("/admin/users")
    page.get_by_label("Search users").fill(person.email)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("row", name=person.email).get_by_role("link", name=person.name, exact=True).click()
    page.get_by_role("link", name="Require a new password").click()
    page.get_by_role("button", name="Require new password").click()
    expect(page.get_by_role("main")).to_contain_text("must change password")

    page.get_by_role("link", name="Undo: do not require a new password").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Stop requiring it").click()

    expect(page.get_by_role("status")).to_have_text("The password no longer has to be changed.")


def test_forced_change_leads_the_person_to_the_password_page(
    admin_area: Page, new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    context = new_context()
    sign_in(context, server, person)
    theirs = context.new_page()
    theirs.goto("/dashboard")
    admin_area.goto(f"/admin/users/{person.id}/require-new-password")
    admin_area.get_by_role("button", name="Require new password").click()
    expect(admin_area.get_by_role("status")).to_be_visible()

    choose(theirs, "Your account")

    expect(theirs).to_have_url(re.compile("/account/password"))


def test_printed_list_has_the_list_and_nothing_to_press(admin_area: Page, server: Server, person: Person) -> None:
    server.run(lambda: start_session(person))
    admin_area.goto(f"/admin/users?q={person.email}")
    admin_area.emulate_media(media="print")

    expect(admin_area.get_by_role("rowheader")).to_contain_text(person.email)
    expect(admin_area.get_by_role("columnheader", name="Last sign-in")).to_be_visible()
    for name in ("Search", "Sign out"):
        expect(admin_area.get_by_role("button", name=name)).to_be_hidden()
    expect(admin_area.get_by_role("link", name=f"Deactivate {person.name}")).to_be_hidden()
