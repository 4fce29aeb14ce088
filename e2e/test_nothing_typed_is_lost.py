"""What somebody typed is still there after a fault, and a form that was not sent asks before it is left."""

import re

import pytest
from playwright.sync_api import Dialog, Page, expect

from e2e.support.people import sign_in
from e2e.test_staying_signed_in import nothing_can_be_written
from tests.support.people import Person
from tests.support.server import Server

pytestmark = pytest.mark.long

GIVES_UP = 40_000  # milliseconds


# notes:
def fill(page: Page) -> None:
    page.goto("/notes/new")
    page.get_by_label("Title").fill("Third hook")
    page.get_by_label("Text").fill("Behind the door.")
    page.get_by_label("Status").select_option("done")
    page.get_by_label("Due on").fill("2026-12-24")


def send_into_a_fault(page: Page) -> None:
    """The server waits for its database for a while before it gives up."""
    page.get_by_role("button", name="Save note").click(no_wait_after=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("Service Unavailable", timeout=GIVES_UP)


def expect_all_of_it(page: Page) -> None:
    expect(page.get_by_label("Title")).to_have_value("Third hook")
    expect(page.get_by_label("Text")).to_have_value("Behind the door.")
    expect(page.get_by_label("Status")).to_have_value("done")
    expect(page.get_by_label("Due on")).to_have_value("2026-12-24")


def test_form_survives_a_fault_of_the_server(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    fill(page)
    with nothing_can_be_written(server):
        send_into_a_fault(page)

    page.go_back(wait_until="commit")  # a page that was kept is not loaded again

    expect_all_of_it(page)
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_role("status")).to_contain_text("saved")


def test_try_again_after_a_fault_leads_back_to_the_filled_form(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    fill(page)
    with nothing_can_be_written(server):
        send_into_a_fault(page)
        again = page.get_by_role("main").locator("a.button").first
        expect(again).to_have_text("Back to the form")

        again.click()

    expect(page).to_have_url(re.compile("/notes/new$"))
    expect_all_of_it(page)


def test_form_that_was_not_sent_asks_before_it_is_left(page: Page, server: Server, person: Person) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    sign_in(page.context, server, person)
    fill(page)
    page.on("dialog", stay)

    page.get_by_role("link", name="Cancel").click(no_wait_after=True)
    expect_all_of_it(page)
    page.get_by_role("button", name="Save note").click()

    expect(page.get_by_role("status")).to_contain_text("saved")
    assert asked == ["beforeunload"]


def test_form_that_was_only_looked_at_asks_nothing(page: Page, server: Server, person: Person) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    sign_in(page.context, server, person)
    page.goto("/notes/new")

    page.get_by_role("link", name="Cancel").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Notes")
    assert asked == []


# /notes
