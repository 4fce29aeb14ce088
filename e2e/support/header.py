"""The account menu of the header, which is there on every page of somebody signed in."""

import re

from playwright.sync_api import Locator, Page


def account_menu(page: Page) -> Locator:
    """What opens the menu. Its text is "Account menu: signed in as NAME"."""
    return page.get_by_role("banner").locator("summary", has_text=re.compile("signed in as"))


def choose(page: Page, name: str) -> None:
    """Open the menu and follow the link of that name."""
    account_menu(page).click()
    page.get_by_role("banner").get_by_role("link", name=name, exact=True).click()


def sign_out(page: Page) -> None:
    account_menu(page).click()
    page.get_by_role("banner").get_by_role("button", name="Sign out").click()
