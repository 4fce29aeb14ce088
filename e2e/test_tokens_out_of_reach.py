"""The tokens live in two cookies, and nowhere else: no script, no address and no page holds one."""

import time

import pytest
from playwright.sync_api import Page, expect

from e2e.support.header import account_menu
from e2e.support.people import drop_cookie, name_of, sign_in
from e2e.support.traffic import Traffic
from tests.support.people import Person
from tests.support.server import Server

pytestmark = pytest.mark.long

MINUTE, DAY = 60, 24 * 3600


@pytest.fixture
def signed_in(page: Page, server: Server, person: Person) -> Page:
    """On the dashboard, with cookies that the server itself has set."""
    sign_in(page.context, server, person)
    drop_cookie(page.context, "access")
    page.goto("/dashboard")
    expect(account_menu(page)).to_be_visible()
    return page


# v5.0.0-3.3.1, v5.0.0-3.3.2, v5.0.0-3.3.4
@pytest.mark.parametrize(("which", "life"), [("access", 15 * MINUTE), ("refresh", 7 * DAY)])
def test_browser_keeps_each_token_in_a_cookie_with_every_fence(signed_in: Page, which: str, life: int) -> None:
    kept = next(one for one in signed_in.context.cookies() if one["name"] == f"__Host-{which}")

    fences = {key: kept[key] for key in ("httpOnly", "secure", "sameSite", "path", "domain")}
    # A domain without a dot in front is this host alone.
    assert fences == {"httpOnly": True, "secure": True, "sameSite": "Strict", "path": "/", "domain": "localhost"}
    assert kept["expires"] == pytest.approx(time.time() + life, abs=MINUTE)


def test_browser_keeps_these_two_cookies_and_no_other(signed_in: Page) -> None:
    assert {one["name"] for one in signed_in.context.cookies()} == {name_of("access"), name_of("refresh")}


def test_script_reads_no_cookie(signed_in: Page) -> None:
    assert signed_in.evaluate("document.cookie") == ""


# v5.0.0-14.3.3
def test_script_finds_nothing_in_any_storage(signed_in: Page) -> None:
    found = signed_in.evaluate(
        "async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, "
        "(await caches.keys()).length]"
    )

    assert found == [0, 0, 0, 0]


# v5.0.0-14.2.1, v5.0.0-3.5.7
def test_no_address_and_no_page_holds_a_token(signed_in: Page) -> None:
    traffic, pages = Traffic(signed_in), []
    for path in ("/", "/account", "/account/password", "/dashboard"):
        drop_cookie(signed_in.context, "access")  # through /auth/resume each time, where the public page is not
        signed_in.goto(path)
        pages.append(signed_in.content())
    tokens = [one["value"] for one in signed_in.context.cookies()]

    addresses = traffic.way()

    assert any("/auth/resume" in address for address in addresses)
    assert len(tokens) == 2
    for text in (*addresses, *pages):
        assert "eyJ" not in text  # how every JWT begins
        assert not any(part in text for token in tokens for part in token.split("."))


def test_answer_to_a_renewal_cannot_be_read_by_a_script(signed_in: Page) -> None:
    """fetch() on our own page: it may renew the session, and still sees no token."""
    answer = signed_in.evaluate(
        "async () => { const answer = await fetch('/api/auth/refresh', { method: 'POST' });"
        "return [answer.status, await answer.text(), [...answer.headers].join()] }"
    )

    assert answer[0] == 200
    assert "eyJ" not in answer[1] + answer[2]
    assert "set-cookie" not in answer[2]
