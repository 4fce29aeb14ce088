"""The whole tour in a browser that runs no script at all."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.support.header import choose, sign_out
from e2e.support.people import sign_in
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.server import Server


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    return new_context(java_script_enabled=False)


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto("data:text/html,<p>off</p><script>document.body.textContent = 'on'</script>")
    assert page.get_by_text("off").is_visible()
    return page


def test_signing_in_and_out(page: Page, person: Person) -> None:
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill("not the right passphrase")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("is wrong")
    expect(page.get_by_label("E-mail")).to_have_value(person.email)

    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")

    sign_out(page)
    expect(page.get_by_role("status")).to_have_text("You are signed out.")


# notes:
def test_the_life_of_a_note(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/dashboard")
    page.get_by_role("link", name="Notes").click()
    page.get_by_role("link", name="Create a note").click()
    page.get_by_label("Title").fill("Door codes")
    page.get_by_label("Text").fill("Front door: 1234")
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Door codes")

    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Text").fill("Front door: 4321")
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_role("article")).to_contain_text("Front door: 4321")

    page.get_by_role("link", name="All notes").click()
    page.get_by_label("Search notes").fill("4321")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Door codes").click()

    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete note").click()
    expect(page.get_by_role("status")).to_have_text("The note is deleted.")
    expect(page.get_by_role("heading", level=2)).to_have_text("No notes yet")


# /notes


def test_the_life_of_an_account(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    server.run(lambda: start_session(person))
    page.goto("/dashboard")
    choose(page, "Your account")
    page.get_by_label("Name").fill("Zoë Zuse")
    page.get_by_role("button", name="Save name").click()
    expect(page.get_by_role("status")).to_have_text("Your name is changed.")

    page.get_by_role("link", name="Devices").click()
    page.get_by_role("link", name="Sign out all others").click()
    page.get_by_role("button", name="Sign out all others").click()
    expect(page.get_by_role("status")).to_have_text("Every other device is signed out.")
    page.get_by_text("Signed out in the last 30 days").click()
    expect(page.get_by_text("Signed out from another device")).to_be_visible()

    page.get_by_role("link", name="Your account", exact=True).click()
    page.get_by_role("link", name="Password", exact=True).click()
    page.get_by_label("Current password", exact=True).fill(person.password)
    page.get_by_label("New password", exact=True).fill("wrong zebra paperclip sonata")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed.")

    page.get_by_role("link", name="E-mail address").click()
    page.get_by_label("New e-mail address").fill("zoe@example.com")
    page.get_by_label("Password", exact=True).fill("wrong zebra paperclip sonata")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("main")).to_contain_text("The change to zoe@example.com is not confirmed yet")

    page.get_by_role("link", name="Delete account").click()
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_deactivating_and_reactivating_an_account(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, server.run(lambda: make_user(role="admin")))
    page.goto("/dashboard")
    page.get_by_role("link", name="Admin", exact=True).click()

    for action, notice in (("Deactivate", "is deactivated"), ("Reactivate", "is active again")):
        page.get_by_role("link", name="Users", exact=True).click()
        page.get_by_label("Search users").fill(person.email)
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name=f"{action} {person.name}").click()
        if action == "Reactivate":
            page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name=action).click()
        expect(page.get_by_role("status")).to_contain_text(notice)


def test_password_field_offers_no_button_that_needs_a_script(page: Page) -> None:
    page.goto("/login")

    expect(page.locator("form[action='/login']").get_by_role("button")).to_have_text(re.compile("^Sign in$"))
