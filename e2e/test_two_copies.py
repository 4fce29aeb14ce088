"""Two copies of the application on one machine: a browser keeps one jar of cookies for all ports of a host."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.auth.accounts import demo_accounts
from e2e.test_signup import log_in
from tests.support.environment import SCRATCH
from tests.support.server import Server, running

pytestmark = pytest.mark.long

OTHER = {"APP_SECRET_KEY": "another-" + SCRATCH.name * 4, "APP_ISSUER": "", "APP_AUDIENCE": ""}


@pytest.fixture
def copies() -> Iterator[tuple[Server, Server]]:
    with running(APP_ISSUER="", APP_AUDIENCE="") as first, running(**OTHER) as second:
        yield first, second


def enters(page: Page, url: str) -> None:
    page.goto(f"{url}/login")
    log_in(page, demo_accounts.ACCOUNTS[1].email, demo_accounts.ACCOUNTS[1].password)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello, ")


def test_sign_in_at_the_other_copy_is_named_as_the_reason_and_there_is_a_way_to_have_both(
    new_context: Callable[..., BrowserContext], copies: tuple[Server, Server]
) -> None:
    first, second = copies
    page = new_context().new_page()
    enters(page, first.url)
    enters(page, second.url)

    page.goto(f"{first.url}/account")

    expect(page.get_by_role("status")).to_contain_text("Another copy of this application")

    enters(page, first.url)
    enters(page, f"http://127.0.0.1:{second.port}")
    page.goto(f"{first.url}/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    page.goto(f"http://127.0.0.1:{second.port}/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
