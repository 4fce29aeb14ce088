"""What Chromium does when the renewal of a bound session fails, row by row of the table in chapter 18.

The application itself answers 401 at that address for a session that has ended, and 503 for everything that passes. A
proxy in front may answer anything: here a front of our own does, and the application behind it is the real one.
DevTools names the fault (`Network.deviceBoundSessionEventOccurred`).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from app.audit import events
from app.auth.pages import device_session
from e2e.conftest import PATIENCE
from e2e.support import browser as browsers
from e2e.test_device_bound import Site, bound, expire, sign_in, until_bound, visit_expired
from tests.support.broken_front import ABORT, HANG, BrokenFront, answer, broken_at
from tests.support.people import Person, make_user

pytestmark = pytest.mark.race
SECONDS = 1000
BROWSER_WAITS = 20 * SECONDS  # for an answer to the renewal
SIGNATURES = 6  # that Chromium makes for a site in nine minutes; the first one binds the session
TO_LOGIN = "/login?next=%2Faccount&notice=device_unproven"
HTML = "<h1>Down for maintenance</h1>"
COOKIE = "Set-Cookie: __Host-access=x; Path=/; Secure; HttpOnly; SameSite=Lax"  # bound is a Strict one


class BrokenSite(Site):
    proxy: BrokenFront

    def front(self, upstream: int) -> AbstractContextManager[Any]:
        port = urlsplit(self.origin).port
        assert port
        return broken_at(device_session.RENEW, upstream, port)


@pytest.fixture(scope="module")
def site() -> Iterator[BrokenSite]:
    with ExitStack() as stack:
        yield BrokenSite(stack)


@pytest.fixture(scope="module")
def binding(browser: Browser, site: BrokenSite) -> Iterator[Browser]:
    browser = browsers.that_binds_sessions(browser, site.proxy.key)
    yield browser
    browser.close()


@pytest.fixture
def person(site: BrokenSite) -> Person:
    return site.server.run(make_user)


@pytest.fixture
def page(site: BrokenSite, binding: Browser) -> Iterator[Page]:
    site.proxy.fault = ""
    context: BrowserContext = binding.new_context(base_url=site.origin)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def devtools(page: Page) -> list[dict[str, Any]]:
    """What DevTools says of bound sessions from now on."""
    told: list[dict[str, Any]] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.enableDeviceBoundSessions", {"enable": True})
    session.on("Network.deviceBoundSessionEventOccurred", lambda event: told.append(event))
    return told


def details(page: Page, told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """What DevTools said of this kind. Waits for the first: an event may come after the page that it is about."""
    for _ in range(PATIENCE // 100):
        if found := [event[kind] for event in told if kind in event]:
            return found
        page.wait_for_timeout(100)
    return []


def faults(page: Page, told: list[dict[str, Any]]) -> list[str]:
    """The results of the renewals."""
    return [each["fetchResult"] for each in details(page, told, "refreshEventDetails")]


def reasons(site: Site, person: Person) -> list[str]:
    """Why the browser had no proof, as the audit log has it."""
    return [row.detail for row in site.audit_log(person) if row.event == events.SESSION_PROOF_MISSING]


def test_devtools_tell_of_the_binding(site: BrokenSite, page: Page, person: Person) -> None:
    told = devtools(page)

    bound(site, page, person)

    (made,) = details(page, told, "creationEventDetails")
    assert made["fetchResult"] == "Success"
    assert made["newSession"]["key"] == {"site": "https://localhost", "id": device_session.IDENTIFIER}
    assert [(each["name"], each["sameSite"]) for each in made["newSession"]["cookieCravings"]] == [
        ("__Host-access", "Strict")
    ]


KEPT = {
    "500": (answer(500), "TransientHttpError", "server_error"),
    "502 with a page": (answer(502, HTML, "Content-Type: text/html"), "TransientHttpError", "server_error"),
    "503": (answer(503, "", "Retry-After: 60"), "TransientHttpError", "server_error"),
    "504": (answer(504), "TransientHttpError", "server_error"),
    "connection closed": (ABORT, "NetError", "unreachable"),
    "no answer": (HANG, "NetError", "unreachable"),
}


@pytest.mark.parametrize("fault", KEPT)
def test_fault_of_the_server_signs_nobody_out(site: BrokenSite, page: Page, person: Person, fault: str) -> None:
    """The page says "try again", nothing is issued meanwhile, and the next visit renews the session."""
    site.proxy.fault, named, reason = KEPT[fault]
    session, told = bound(site, page, person), devtools(page)
    expire(page.context)

    broken = page.goto("/account", timeout=BROWSER_WAITS + PATIENCE)

    assert broken
    assert broken.status == 503
    expect(page.get_by_text("You are still signed in")).to_be_visible()
    assert faults(page, told) == [named]
    assert reasons(site, person) == [reason]
    assert site.session_of(person).generation == session.generation
    site.proxy.fault = ""
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    assert site.session_of(person).id == session.id


ENDED = {
    "400": (answer(400), "PersistentHttpError"),
    "401": (answer(401), "PersistentHttpError"),
    "403": (answer(403), "TooManyChallenges"),
    "403 again and again": (answer(403, "", 'Secure-Session-Challenge: "no";id="session"'), "TooManyChallenges"),
    "404": (answer(404), "PersistentHttpError"),
    "429": (answer(429, "", "Retry-After: 1"), "PersistentHttpError"),
    "a redirect to a page": (answer(303, "", "Location: /login"), "InvalidConfigJson"),
    "200 with a page": (answer(200, HTML, "Content-Type: text/html"), "InvalidConfigJson"),
    "200 with broken JSON": (answer(200, "{no", "Content-Type: application/json"), "InvalidConfigJson"),
    "200 with other JSON": (answer(200, '{"continue":false}', "Content-Type: application/json"), "InvalidSessionId"),
}


@pytest.mark.parametrize("fault", ENDED)
def test_browser_that_forgets_its_key_is_asked_to_sign_in(
    site: BrokenSite, page: Page, person: Person, fault: str
) -> None:
    """No answer of the application while the session lives, but a proxy may send them. Nothing opens without the key.

    The session that nobody can renew is left as it is: the browser's owner signs in again, and that one is bound.
    """
    site.proxy.fault, named = ENDED[fault]
    session, told = bound(site, page, person), devtools(page)

    visit_expired(page, TO_LOGIN)

    assert faults(page, told) == [named]
    assert reasons(site, person) == [""]
    assert site.session_of(person).revoked_at is None
    site.proxy.fault = ""
    visit_expired(page, TO_LOGIN)
    sign_in(page, person)
    until_bound(site, page, person, 2)
    assert site.session_of(person).id != session.id


@pytest.mark.parametrize("fault", [answer(200), answer(204), answer(200, "", COOKIE)])
def test_answer_without_the_cookie_is_asked_for_again(site: BrokenSite, page: Page, person: Person, fault: str) -> None:
    """The browser takes it for a renewal and goes on without the cookie; it renews at the next visit all the same."""
    session, told = bound(site, page, person), devtools(page)
    site.proxy.fault = fault
    visit_expired(page, TO_LOGIN)
    assert set(faults(page, told)) == {"Success"}
    site.proxy.fault = ""

    page.goto("/account")

    expect(page).to_have_url("/account")
    assert site.session_of(person).id == session.id


def test_redirect_that_keeps_the_method_is_followed(site: BrokenSite, page: Page, person: Person) -> None:
    session = bound(site, page, person)
    site.proxy.fault = answer(307, "", f"Location: {device_session.RENEW}?again")

    visit_expired(page)

    assert site.session_of(person).generation == session.generation + 1


def test_server_that_refuses_connections_for_a_while_signs_nobody_out(
    site: BrokenSite, page: Page, person: Person
) -> None:
    session = bound(site, page, person)
    expire(page.context)
    with site.proxy.gone(), pytest.raises(Error, match="ERR_CONNECTION_REFUSED"):
        page.goto("/account")

    again = page.context.new_page()  # the first one still loads the browser's own page of the error
    again.goto("/account")

    expect(again).to_have_url("/account")
    assert site.session_of(person).id == session.id


def test_quota_of_signatures_signs_nobody_out(site: BrokenSite, page: Page, person: Person) -> None:
    """The browser signs no more for some minutes: "try again". A new sign-in works meanwhile, and is not bound."""
    session, told = bound(site, page, person), devtools(page)
    for _ in range(SIGNATURES - 1):
        visit_expired(page)
    expire(page.context)

    answered = page.goto("/account")

    assert answered
    assert answered.status == 503
    expect(page.get_by_text("You are still signed in")).to_be_visible()
    assert faults(page, told) == ["Success"] * (SIGNATURES - 1) + ["SigningQuotaExceeded"]
    assert reasons(site, person) == ["quota_exceeded"]
    assert site.session_of(person).revoked_at is None

    sign_in(page, person)
    visit_expired(page)
    assert site.session_of(person).id != session.id
    assert site.session_of(person).device_key == ""
    assert site.events_of(person).count(events.SESSION_BOUND) == 1
