"""An address at a domain with an umlaut, typed into Chromium's own e-mail field, which sends punycode."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from e2e.support.people import sign_in
from e2e.test_signup import NEW, fill_in, forgets, log_in
from tests.support import mailbox
from tests.support.people import PASSWORD, make_user
from tests.support.server import Server

pytestmark = pytest.mark.long

PEOPLE, WIRE = "b\u00fccher.example", "xn--bcher-kva.example"


@pytest.fixture
def local() -> str:
    """What stands before the @, and nobody has yet."""
    return f"uli-{db.uuid7()}"


@pytest.fixture(params=["with scripts", "without scripts"])
def anyone(request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext]) -> Page:
    return new_context(java_script_enabled=request.param == "with scripts").new_page()


def enters(page: Page, email: str, password: str) -> None:
    page.context.clear_cookies()
    page.goto("/login")
    log_in(page, email, password)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello, ")


def test_from_the_form_to_the_dashboard_and_a_forgotten_password(anyone: Page, server: Server, local: str) -> None:
    page, email = anyone, f"{local}@{PEOPLE}"
    page.goto("/register")
    page.get_by_label("E-mail").press_sequentially(email)
    assert page.get_by_label("E-mail").input_value() == f"{local}@{WIRE}"
    fill_in(page, email)
    page.goto(mailbox.link_in(mailbox.arrived(server, email), server.url))
    page.get_by_role("button", name="Confirm this address").click()

    for spelling in (email, f"{local}@{WIRE}", f"{local}@B\u00dcCHER.example".upper()):
        enters(page, spelling, PASSWORD)
    expect(page.get_by_role("main")).to_contain_text(email)

    page.context.clear_cookies()
    page.goto(forgets(page, server, email))
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Save password").click()
    enters(page, email, NEW)


def test_admin_invites_and_finds_the_person(page: Page, context: BrowserContext, server: Server, local: str) -> None:
    sign_in(context, server, server.run(lambda: make_user(role="admin")))
    page.goto("/admin/users/new")
    page.get_by_label("E-mail").fill(f"{local}@{PEOPLE}")
    page.get_by_label("Name").fill("Uli")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("status")).to_contain_text("invitation")

    for domain in (PEOPLE, WIRE):
        page.goto(f"/admin/users?q={local}@{domain}")
        expect(page.get_by_role("main")).to_contain_text(f"{local}@{PEOPLE}")

    page.context.clear_cookies()
    page.goto(mailbox.link_in(mailbox.arrived(server, f"{local}@{PEOPLE}"), server.url))
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Save password").click()
    enters(page, f"{local}@{PEOPLE}", NEW)
