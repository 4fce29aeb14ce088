"""Origins, asked of a browser: what it sends as Origin must be what the settings hold."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import hosts
from e2e.test_passkeys import Phone
from e2e.test_signup import log_in
from tests.support import mailbox
from tests.support.origins import REFUSED, SPELLINGS
from tests.support.people import PASSWORD, make_user
from tests.support.server import free_port, running

pytestmark = pytest.mark.long

REPORTED = "texts => texts.map(text => { try { return new URL(text).origin } catch { return '' } })"


def test_origin_is_what_the_browser_reports(page: Page) -> None:
    found = page.evaluate(REPORTED, list(SPELLINGS))

    assert dict(zip(SPELLINGS, found, strict=True)) == SPELLINGS
    assert {text: hosts.origin(text) for text in SPELLINGS} == SPELLINGS
    assert len(SPELLINGS) >= 30


def test_what_the_browser_refuses_is_no_origin(page: Page) -> None:
    refused = [text for text, origin in zip(REFUSED, page.evaluate(REPORTED, list(REFUSED)), strict=True) if not origin]

    assert len(refused) >= 7
    assert all(_refused(text) for text in refused)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("http://B\u00fccher.LocalHost", "http://xn--bcher-kva.localhost"),
        ("HTTP://[0:0:0:0:0:0:0:1]", "http://[::1]"),
    ],
)
def test_site_at_such_an_origin_signs_in_and_links_to_itself(
    new_context: Callable[..., BrowserContext], host: str, shown: str
) -> None:
    """Form, cookies, links in mail, and passkeys where a browser makes any: none does for an address in digits."""
    port = free_port()
    origin = f"{shown}:{port}"
    with running(HOST="::", PORT=str(port), PUBLIC_ORIGIN=f"{host}:{port}/") as server:
        person = server.run(make_user)
        page = new_context().new_page()
        page.goto(f"{origin}/account/password")
        log_in(page, person.email, PASSWORD)
        expect(page.get_by_role("heading", level=1)).to_have_text("Change password")
        assert page.evaluate("location.origin") == origin

        if "[" not in shown:
            phone = Phone(page)
            page.goto(f"{origin}/account/passkeys")
            page.get_by_label("Password", exact=True).fill(PASSWORD)
            page.get_by_role("button", name="Add a passkey").click()
            expect(page.get_by_role("status")).to_contain_text("The passkey is added")
            assert [key["rpId"] for key in phone.kept()] == ["xn--bcher-kva.localhost"]
            page.context.clear_cookies()
            page.goto(f"{origin}/login?next=/account")
            expect(page.get_by_role("heading", level=1)).to_have_text("Your account")

        page.context.clear_cookies()
        page.goto(f"{origin}/forgot-password")
        page.get_by_label("E-mail").fill(person.email)
        page.get_by_role("button", name="Send the link").click()
        email_message = mailbox.arrived(server, person.email, "Choose a new password")
        page.goto(origin + mailbox.link_in(email_message, origin))
        expect(page.get_by_label("New password")).to_be_visible()


def _refused(text: str) -> bool:
    try:
        hosts.origin(text)
    except ValueError:
        return True
    return False
