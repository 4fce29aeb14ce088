"""Two-factor authentication of signing in, in a browser: a phone beside it, and the day the phone is lost."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.auth import cookies
from e2e.support.header import sign_out
from e2e.support.people import sign_in
from tests.support import secrets
from tests.support.mailbox import arrived
from tests.support.people import PASSWORD, Person
from tests.support.phone import Phone
from tests.support.server import Server


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext]) -> Page:
    return new_context(java_script_enabled=request.param).new_page()


def enter(page: Page, person: Person) -> None:
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("button", name="Sign in").click()


def type_code(page: Page, code: str, button: str, password: str = "") -> None:
    sends_itself = page.get_by_text("The sixth one sends the form.").is_visible() and code.isdigit()
    page.get_by_label("Code", exact=True).fill(code)
    if password:
        page.get_by_label("Password", exact=True).fill(password)
    if not sends_itself:
        page.get_by_role("button", name=button).click()


def turn_on(page: Page, password: str = PASSWORD) -> Phone:
    """Through the pages: from the account to the recovery codes."""
    page.goto("/account")
    page.get_by_role("link", name="Two-factor authentication").click()
    phone = Phone((page.locator("code.secret").text_content() or "").replace(" ", ""))
    type_code(page, phone.shows(db.utcnow()), "Turn on", password)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    phone.recovery_codes = page.locator(".codes code").all_text_contents()
    secrets.keep(*phone.recovery_codes)
    assert len(phone.recovery_codes) == 10
    return phone


def test_phone_is_asked_for_from_then_on(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    phone = turn_on(page)
    page.get_by_role("link", name="I have saved them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Two-factor authentication")
    sign_out(page)
    assert arrived(server, person.email, "Two-factor authentication is on")

    page.goto("/account/sessions")
    enter(page, person)
    expect(page.get_by_role("heading", level=1)).to_have_text("Two-factor authentication")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    type_code(page, "000000", "Sign in")
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    type_code(page, phone.shows(db.utcnow(), seconds=30), "Sign in")  # the one of now has turned it on

    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")
    assert cookies.ticket_name() not in {cookie["name"] for cookie in page.context.cookies()}


def test_lost_phone_a_recovery_code_and_the_password_alone_again(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    phone = turn_on(page)
    page.context.clear_cookies()
    page.goto("/login")
    enter(page, person)
    page.get_by_role("link", name="Use a recovery code instead").click()
    page.get_by_label("Recovery code").fill("not-a-code")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    page.get_by_label("Recovery code").fill(phone.recovery_codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")

    page.goto("/account/second-factor")
    expect(page.get_by_text("You have 9 of 10 recovery codes left.")).to_be_visible()
    type_code(page, phone.recovery_codes[1], "Turn off two-factor authentication", "not the right passphrase")
    expect(page.get_by_role("alert")).to_contain_text("The password is wrong.")
    expect(page.get_by_label("Code", exact=True)).to_have_value(phone.recovery_codes[1])
    type_code(page, phone.recovery_codes[1], "Turn off two-factor authentication", person.password)
    expect(page.get_by_role("status")).to_have_text(
        "Two-factor authentication is off. Your password alone is enough to sign in."
    )

    page.context.clear_cookies()
    page.goto("/login")
    enter(page, person)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")


def test_old_recovery_codes_stay_good_until_the_new_ones_are_saved(page: Page, server: Server, person: Person) -> None:
    """The page that shows the new ones is left without a word, as if it had got lost; then they are made once more."""
    sign_in(page.context, server, person)
    old = turn_on(page).recovery_codes
    page.goto("/account/second-factor")
    type_code(page, old[0], "Create new recovery codes", person.password)
    page.get_by_role("link", name="Keep the old codes").click()
    expect(page.get_by_text("You have 9 of 10 recovery codes left.")).to_be_visible()

    type_code(page, old[1], "Create new recovery codes", person.password)
    new = page.locator(".codes code").all_text_contents()
    secrets.keep(*new)
    page.get_by_role("button", name="I have saved them").click()

    expect(page.get_by_role("status")).to_contain_text("Your new recovery codes are valid")
    expect(page.get_by_text("You have 10 of 10 recovery codes left.")).to_be_visible()
    type_code(page, old[2], "Turn off two-factor authentication", person.password)
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    type_code(page, new[0], "Turn off two-factor authentication", person.password)
    expect(page.get_by_role("status")).to_have_text(
        "Two-factor authentication is off. Your password alone is enough to sign in."
    )


def test_codes_of_the_page_before_are_not_shown_by_the_back_button(page: Page, server: Server, person: Person) -> None:
    """Somebody at the same screen after the sign-out must not find them."""
    sign_in(page.context, server, person)
    phone = turn_on(page)
    page.get_by_role("link", name="I have saved them").click()
    sign_out(page)
    expect(page.get_by_role("status")).to_have_text("You are signed out.")

    for _ in range(3):
        page.go_back()
        assert not any(code in page.content() for code in phone.recovery_codes)
