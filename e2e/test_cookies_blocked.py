"""A browser whose owner has blocked all cookies: after the right password it is told what is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.support import browser as browsers
from e2e.test_signup import log_in
from tests.support.people import PASSWORD, Person
from tests.support.phone import with_a_phone
from tests.support.server import Server

pytestmark = pytest.mark.long

NEEDED = "Your browser did not store our cookies."


@pytest.fixture(params=["with scripts", "without scripts"])
def page(request: pytest.FixtureRequest, browser: Browser, server: Server, tmp_path: Path) -> Iterator[Page]:
    options = {"base_url": server.url, "java_script_enabled": request.param == "with scripts"}
    context = browsers.without_cookies(browser, tmp_path / "profile", **options)
    yield context.pages[0]
    assert context.cookies() == []
    context.close()


def test_right_password_leads_to_the_reason_and_not_to_an_empty_form(page: Page, person: Person) -> None:
    page.goto("/account")
    expect(page.get_by_role("main")).not_to_contain_text(NEEDED)

    for _ in range(2):
        log_in(page, person.email, PASSWORD)
        expect(page.get_by_role("status")).to_contain_text(NEEDED)
    assert page.url.endswith("/login?next=%2Faccount&notice=cookies")


def test_wrong_password_is_still_a_wrong_password(page: Page, person: Person) -> None:
    page.goto("/login")

    log_in(page, person.email, "wrong")

    expect(page.get_by_role("main")).to_contain_text("is wrong")
    expect(page.get_by_role("main")).not_to_contain_text(NEEDED)


def test_second_step_says_it_as_well(page: Page, server: Server, person: Person) -> None:
    server.run(lambda: with_a_phone(person))
    page.goto("/login")

    log_in(page, person.email, PASSWORD)

    expect(page.get_by_role("status")).to_contain_text(NEEDED)
