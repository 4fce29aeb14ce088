"""The offer of a passkey after a sign-in with the password, in a browser whose device could keep one."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.test_passkeys import Phone, can
from tests.support.people import Person

# What Chromium's own password manager decides about, and the virtual device does not: a create without a question.
UNASKED = """{
  const create = navigator.credentials.create.bind(navigator.credentials);
  navigator.credentials.create = async (options) => {
    if (options.mediation !== "conditional") return create(options);
    document.documentElement.dataset.conditional = "";
    return %s;
  };
}"""
WAITS = """new Promise((_, reject) => options.signal.addEventListener("abort", () => reject(options.signal.reason)))"""
MADE = "create({ ...options, mediation: undefined })"
QUESTION = "Sign in without a password next time?"


@pytest.fixture
def page(new_context: Callable[..., BrowserContext]) -> Page:
    return new_context().new_page()


def is_offered(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(QUESTION)


def account_is_shown(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


def until_asked(page: Page) -> None:
    """The script of the login page has asked the browser what it can do."""
    expect(page.locator("[data-can-keep-passkeys]")).to_have_value("1")


def sign_in(page: Page, person: Person) -> None:
    page.goto("/login?next=/account")
    until_asked(page)
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_click_adds_one_without_the_password(page: Page, person: Person) -> None:
    phone = Phone(page)
    sign_in(page, person)
    is_offered(page)
    assert "#" not in page.url

    page.get_by_role("button", name="Add a passkey").click()

    expect(page.get_by_role("status")).to_contain_text("The passkey is added")
    account_is_shown(page)
    assert len(phone.kept()) == 1
    page.context.clear_cookies()
    page.goto("/login?next=/account")
    account_is_shown(page)  # by that passkey: the virtual device picks it at the field of the address


def test_one_is_made_unasked_where_the_browser_can(page: Page, person: Person) -> None:
    phone = Phone(page)
    can(page, conditionalCreate=True)
    page.add_init_script(UNASKED % MADE)

    sign_in(page, person)

    account_is_shown(page)
    assert len(phone.kept()) == 1


def test_click_takes_the_place_of_the_question_that_waits(page: Page, person: Person) -> None:
    Phone(page)
    can(page, conditionalCreate=True)
    page.add_init_script(UNASKED % WAITS)
    sign_in(page, person)
    expect(page.locator("html[data-conditional]")).to_be_attached()

    page.get_by_role("button", name="Add a passkey").click()

    account_is_shown(page)


def test_conditional_create_of_the_browser_itself_leaves_the_click_alone(page: Page, person: Person) -> None:
    """It stays pending in headless Chromium, where no password manager has filled anything in."""
    Phone(page)
    can(page, conditionalCreate=True)
    sign_in(page, person)
    is_offered(page)

    page.get_by_role("button", name="Add a passkey").click()

    account_is_shown(page)


def test_not_now_leads_on_and_the_next_sign_in_asks_nothing(page: Page, person: Person) -> None:
    Phone(page)
    sign_in(page, person)
    page.get_by_role("link", name="Not now").click()
    account_is_shown(page)
    page.context.clear_cookies()

    sign_in(page, person)

    account_is_shown(page)


def test_no_leads_on(page: Page, person: Person) -> None:
    Phone(page)
    sign_in(page, person)

    page.get_by_role("button", name="Do not ask again").click()

    account_is_shown(page)


def test_page_that_is_loaded_again_leads_to_the_form_with_the_password(page: Page, person: Person) -> None:
    """The challenge is gone. A copy of the cookies shows the same page."""
    Phone(page)
    sign_in(page, person)
    is_offered(page)

    page.reload()

    expect(page.get_by_role("button", name="Add a passkey")).to_be_hidden()
    page.get_by_role("link", name="Add a passkey").click()
    expect(page.get_by_label("Password", exact=True)).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_browser_without_a_device_signs_in_as_ever(
    new_context: Callable[..., BrowserContext], person: Person, javascript: bool
) -> None:
    page = new_context(java_script_enabled=javascript).new_page()
    page.goto("/login?next=/account")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)

    page.get_by_role("button", name="Sign in", exact=True).click()

    account_is_shown(page)
    page.goto("/account/passkeys/offer?next=/account")
    is_offered(page)
    expect(page.get_by_role("button", name="Add a passkey")).to_be_hidden()
    page.get_by_role("button", name="Do not ask again").click()
    account_is_shown(page)
