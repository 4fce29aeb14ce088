"""Signing in with the form. Other tests sign in without it, the tour without JavaScript apart."""

import re

import pytest
from playwright.sync_api import Page, expect

from app.auth.accounts import demo_accounts
from e2e.support.header import account_menu
from e2e.support.people import cookie, sign_in
from tests.support.people import Person
from tests.support.server import Server

WRONG = "The e-mail address or the password is wrong, or the account cannot be used."


def submit(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("account", demo_accounts.ACCOUNTS, ids=lambda account: account.role)
def test_demo_account_signs_in_and_reaches_the_dashboard(page: Page, account: demo_accounts.Demo) -> None:
    page.goto("/login")

    submit(page, account.email, account.password)

    expect(page).to_have_url(re.compile(r"//localhost:\d+/dashboard$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {account.name}")
    expect(account_menu(page)).to_be_visible()


def test_login_page_shows_the_demo_accounts_to_copy(page: Page) -> None:
    page.goto("/login")

    shown = page.get_by_role("complementary", name="Demo accounts").locator("code").all_inner_texts()

    assert shown == [text for account in demo_accounts.ACCOUNTS for text in (account.email, account.password)]


def test_wrong_password_keeps_the_address_and_not_the_password(page: Page, person: Person) -> None:
    page.goto("/login")

    submit(page, person.email, "not the right passphrase")

    expect(page.get_by_label("E-mail")).to_have_value(person.email)
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    assert page.context.cookies() == []


def test_wrong_password_is_said_in_one_sentence_that_takes_the_focus(page: Page, person: Person) -> None:
    page.goto("/login")

    submit(page, person.email, "not the right passphrase")

    expect(page.get_by_role("alert")).to_have_text(WRONG)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: Sign in"))


def test_right_password_after_a_wrong_one_goes_on_to_where_one_wanted(page: Page, person: Person) -> None:
    page.goto("/login?next=/account/activity")
    submit(page, person.email, "not the right passphrase")
    expect(page.get_by_role("alert")).to_be_visible()

    submit(page, person.email, person.password)

    expect(page).to_have_url(re.compile(r"/account/activity$"))


def test_empty_form_names_each_field_and_leads_to_it(page: Page) -> None:
    page.goto("/login")

    submit(page, "", "")
    page.get_by_role("alert").get_by_role("link", name=re.compile("^Password: ")).click()

    expect(page.get_by_label("E-mail")).to_have_accessible_description(re.compile("fill this in", re.IGNORECASE))
    expect(page.get_by_label("Password", exact=True)).to_be_focused()


def test_private_page_asks_to_sign_in_and_then_shows_itself(page: Page, person: Person) -> None:
    page.goto("/account?q=two%20words")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")

    submit(page, person.email, person.password)

    expect(page).to_have_url(re.compile(r"/account\?q=two%20words$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example/", "/logout"])
def test_next_never_leads_off_the_site_or_out_of_it(page: Page, person: Person, target: str) -> None:
    page.goto(f"/login?next={target}")

    submit(page, person.email, person.password)

    expect(page).to_have_url(re.compile(r"//localhost:\d+/dashboard$"))


# v5.0.0-6.2.6, v5.0.0-6.2.7
def test_password_manager_finds_both_fields(page: Page) -> None:
    page.goto("/login")

    email, password = page.get_by_label("E-mail"), page.get_by_label("Password", exact=True)

    expect(email).to_have_attribute("autocomplete", "username webauthn")
    expect(email).to_have_attribute("type", "email")
    expect(password).to_have_attribute("autocomplete", "current-password")
    expect(password).to_have_attribute("type", "password")


def test_password_that_is_shown_is_hidden_again_before_it_is_sent(page: Page, person: Person) -> None:
    """Or the browser would offer it as text typed before."""
    page.goto("/login")
    page.get_by_label("Password", exact=True).fill("not the right passphrase")
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    page.evaluate("document.forms[0].addEventListener('submit', () => sessionStorage.setItem('type', password.type))")

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('type')") == "password"


def test_first_field_is_ready_for_typing(page: Page) -> None:
    page.goto("/login")

    expect(page.get_by_label("E-mail")).to_be_focused()


def test_somebody_signed_in_is_not_asked_again(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    before = cookie(page.context, "access")

    page.goto("/login?next=/account")

    expect(page).to_have_url(re.compile(r"/account$"))
    assert cookie(page.context, "access") == before


def test_demo_account_is_one_click_away_in_development(page: Page) -> None:
    page.goto("/login?next=/account")

    page.get_by_role("button", name="Use the user account").click()

    expect(page).to_have_url(re.compile("/account$"))
    expect(account_menu(page)).to_contain_text("Uli Demo")
