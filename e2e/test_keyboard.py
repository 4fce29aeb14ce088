"""Everything by keyboard: Tab, Enter, and what is typed. Where the focus stands is always to be seen."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from app import db
from app.notes import store
from e2e.support.header import account_menu
from e2e.support.people import sign_in
from e2e.test_signup import link_to
from tests.support.people import PASSWORD, Person
from tests.support.server import Server

pytestmark = pytest.mark.long

STEPS = 30  # Tab presses until somebody gives up


@pytest.fixture
def signed_in(page: Page, server: Server, person: Person) -> Page:
    sign_in(page.context, server, person)
    page.goto("/dashboard")
    return page


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus; each stop on the way shows that it has it."""
    for _ in range(STEPS):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "() => { const at = document.activeElement; const ring = (part) => getComputedStyle(at, part).outlineStyle;"
            "return at === document.body || ring() !== 'none' || ring('::after') !== 'none' }"
        ), page.evaluate("document.activeElement.outerHTML")
        if target.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{target} cannot be reached")


def test_signing_in(page: Page, person: Person) -> None:
    page.goto("/login")  # the first field has the focus

    page.keyboard.type(person.email)
    page.keyboard.press("Tab")
    page.keyboard.type(person.password)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")


def test_skip_link_comes_first_and_leads_past_the_header(signed_in: Page) -> None:
    skip = signed_in.get_by_role("link", name="Skip to main content")

    signed_in.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    signed_in.keyboard.press("Enter")

    expect(signed_in.get_by_role("main")).to_be_focused()


# notes:
def test_from_signing_up_to_the_first_note_and_back_out(page: Page, server: Server) -> None:
    """The link of the e-mail is opened as the mail program does it; everything else is a key."""
    email = f"joan-{db.uuid7()}@example.com"
    page.goto("/login")
    tab_to(page, page.get_by_role("link", name="Create an account"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Joan Example")
    tab_to(page, page.get_by_label("E-mail"))
    page.keyboard.type(email)
    tab_to(page, page.get_by_label("Password", exact=True))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")

    page.goto(link_to(server, email, "Confirm your address"))
    tab_to(page, page.get_by_role("button", name="Confirm this address"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_visible()
    page.get_by_label("E-mail").focus()
    page.keyboard.type(email)
    tab_to(page, page.get_by_label("Password", exact=True))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Joan Example")

    test_writing_a_note(page)

    test_signing_out(page)


def test_writing_a_note(signed_in: Page) -> None:
    page = signed_in
    tab_to(page, page.get_by_role("link", name="Notes"))
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("^Notes"))
    tab_to(page, page.get_by_role("link", name="Create a note"))
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("^New note"))
    tab_to(page, page.get_by_label("Title"))
    page.keyboard.type("By keyboard")
    tab_to(page, page.get_by_label("Text"))
    page.keyboard.type("Two lines,")
    page.keyboard.press("Enter")
    page.keyboard.type("no mouse.")
    tab_to(page, page.get_by_role("button", name="Save note"))
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("By keyboard")
    expect(page.get_by_role("article")).to_contain_text("Two lines,\nno mouse.", use_inner_text=True)


def test_opening_a_note_from_the_list(signed_in: Page, server: Server, person: Person) -> None:
    server.run(lambda: store.create(person.id, "On the list", ""))
    signed_in.goto("/notes")
    tab_to(signed_in, signed_in.get_by_role("link", name="On the list"))

    signed_in.keyboard.press("Enter")

    expect(signed_in.get_by_role("heading", level=1)).to_have_text("On the list")


# /notes


def test_changing_the_password(signed_in: Page, person: Person) -> None:
    page = signed_in
    tab_to(page, account_menu(page))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Your account", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    tab_to(page, page.get_by_role("link", name="Password", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Change password")
    tab_to(page, page.get_by_label("Current password", exact=True))
    page.keyboard.type(person.password)
    tab_to(page, page.get_by_label("New password", exact=True))
    page.keyboard.type("wrong zebra paperclip sonata")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Your password is changed.")


def test_signing_out(signed_in: Page) -> None:
    tab_to(signed_in, account_menu(signed_in))
    signed_in.keyboard.press("Enter")
    tab_to(signed_in, signed_in.get_by_role("button", name="Sign out"))

    signed_in.keyboard.press("Enter")

    expect(signed_in).to_have_url(re.compile(r"/login\?notice=signed_out$"))
