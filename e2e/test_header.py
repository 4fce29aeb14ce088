"""The header is one row on every page and screen; its menu opens without a script and by keyboard alone."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.support.header import account_menu, choose
from e2e.support.people import sign_in
from tests.support.people import Person, make_user
from tests.support.server import Server

pytestmark = pytest.mark.long

ONE_ROW = 72  # CSS pixels, the strap over it included
WIDTHS = [320, 390, 768, 1280]


def height(page: Page) -> float:
    box = page.get_by_role("banner").bounding_box()
    assert box
    return box["height"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("role", ["", "user", "admin"])
def test_header_is_one_row(page: Page, server: Server, role: str, width: int) -> None:
    if role:
        sign_in(page.context, server, server.run(lambda: make_user(role=role, name="Wilhelmina Featherstonehaugh")))
    page.set_viewport_size({"width": width, "height": 800})

    page.goto("/dashboard" if role else "/forgot-password")

    assert height(page) <= ONE_ROW
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_menu_works_without_a_script(
    new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    context = new_context(java_script_enabled=False)
    sign_in(context, server, person)
    page = context.new_page()
    page.goto("/dashboard")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()

    choose(page, "Devices")

    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")


def test_escape_closes_the_menu_and_the_focus_stays_on_it(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/dashboard")
    account_menu(page).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Your account", exact=True)).to_be_focused()

    page.keyboard.press("Escape")

    expect(page.get_by_role("link", name="Your account", exact=True)).to_be_hidden()
    expect(account_menu(page)).to_be_focused()


def test_menu_closes_at_a_click_beside_it_and_when_the_focus_leaves(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/dashboard")
    account_menu(page).click()
    page.get_by_role("heading", level=1).click()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()

    account_menu(page).click()
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Tab")

    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


def test_phone_has_the_main_links_in_the_menu(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/account")
    expect(page.get_by_role("navigation", name="Main")).to_have_count(0)

    choose(page, "Dashboard")

    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/account", "Your account"),
        ("/account/password", "Password"),
        ("/account/second-factor", "Two-factor authentication"),
        ("/account/sessions/revoke-others", "Devices"),
        ("/account/delete", "Delete account"),
    ],
)
def test_pages_beside_an_account_page_mark_where_one_is(
    page: Page, server: Server, person: Person, path: str, here: str
) -> None:
    sign_in(page.context, server, person)

    page.goto(path)

    side = page.get_by_role("navigation", name="Account", exact=True)
    expect(side.locator("[aria-current]")).to_have_text(here)


def test_heading_does_not_break_at_its_hyphen(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.set_viewport_size({"width": 390, "height": 800})

    page.goto("/account/second-factor")

    word = page.get_by_text("two-factor", exact=True)
    assert word.evaluate("each => each.getClientRects().length") == 1


def test_times_are_in_the_zone_of_the_browser_with_utc_beside(
    new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    context = new_context(timezone_id="Asia/Kathmandu")  # 5 hours and 45 minutes ahead
    sign_in(context, server, person)
    page = context.new_page()
    page.goto("/account/sessions")
    time = page.locator(".device time").filter(has_text="UTC").first
    at = datetime.fromisoformat(time.get_attribute("datetime") or "")
    there = at + timedelta(hours=5, minutes=45)

    expect(time).to_have_text(f"{there.day} {there:%B %Y}, {there:%H:%M} ({at:%H:%M} UTC)")
