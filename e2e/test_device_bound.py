"""Device-bound sessions in Chromium itself: over TLS, with keys in software where there is no TPM (DBSC).

The access cookie is taken out of the jar where fifteen minutes would have to pass: Chromium then holds the request, as
it does with an expired one, until the session is renewed. Each test has a browser context of its own, for Chromium
signs some six times in nine minutes for a site.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.accounts import logout_flow
from app.auth.models import session_rows
from e2e.conftest import PATIENCE
from e2e.support import browser as browsers
from e2e.support.header import sign_out
from tests.support.people import Person, make_user
from tests.support.proxy import proxying
from tests.support.server import Server, free_port, running

pytestmark = pytest.mark.race
ACCESS, REFRESH = "__Host-access", "__Host-refresh"


class Site:
    """A server in production behind Caddy; it can be stopped and started again."""

    def __init__(self, stack: ExitStack) -> None:
        self.origin, self._port = f"https://localhost:{free_port()}", free_port()
        self._running = stack.enter_context(ExitStack())
        self._db_url = ""
        self.server = self.start()
        self.proxy = stack.enter_context(self.front(self._port))

    def front(self, upstream: int) -> AbstractContextManager[Any]:
        return proxying(self.origin, f"127.0.0.1:{upstream}", plain_port=free_port())

    def start(self) -> Server:
        variables = {"DATABASE_URL": self._db_url} if self._db_url else {}
        server = running(
            arguments=["--forwarded-allow-ips", "127.0.0.1"],
            APP_ENV="production",
            APP_ARGON2_MEMORY_KIB="19456",
            PORT=str(self._port),
            PUBLIC_ORIGIN=self.origin,
            **variables,
        )
        self.server = self._running.enter_context(server)
        self._db_url = self.server.db_url
        return self.server

    def restart(self) -> None:
        self._running.close()
        self.start()

    def events_of(self, person: Person) -> list[str]:
        return [row.event for row in self.audit_log(person)]

    def audit_log(self, person: Person) -> list[Any]:
        async def read() -> list[Any]:
            return await db.fetch_all(
                sa.select(event_rows).where(event_rows.c.user_id == person.id).order_by(event_rows.c.id)
            )

        return self.server.run(read)

    def session_of(self, person: Person) -> Any:
        """The row of the newest session."""

        async def read() -> Any:
            own = sa.select(session_rows).where(session_rows.c.user_id == person.id)
            return await db.fetch_one(own.order_by(session_rows.c.id.desc()))

        return self.server.run(read)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stack)


@pytest.fixture(scope="module")
def binding(browser: Browser, site: Site) -> Iterator[Browser]:
    browser = browsers.that_binds_sessions(browser, site.proxy.key)
    yield browser
    browser.close()


@pytest.fixture
def person(site: Site) -> Person:
    return site.server.run(make_user)


@pytest.fixture
def page(site: Site, binding: Browser) -> Iterator[Page]:
    context = binding.new_context(base_url=site.origin)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def sign_in(page: Page, person: Person) -> None:
    page.goto("/login")
    page.locator("#email").fill(person.email)
    page.locator("#password").fill(person.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url("/dashboard")


def bound(site: Site, page: Page, person: Person) -> Any:
    """Sign in, and wait until the browser has bound the session, which it does beside the page; the session's row."""
    before = site.events_of(person).count(events.SESSION_BOUND)
    sign_in(page, person)
    until_bound(site, page, person, before + 1)
    return site.session_of(person)


def until_bound(site: Site, page: Page, person: Person, times: int) -> None:
    for _ in range(PATIENCE // 100):
        if site.events_of(person).count(events.SESSION_BOUND) == times:
            return
        page.wait_for_timeout(100)
    pytest.fail("the browser did not bind the session: is this the full Chromium?")


def expire(context: BrowserContext) -> None:
    """As when the access token's time is over."""
    context.clear_cookies(name=ACCESS)


def visit_expired(page: Page, then: str = "/account") -> None:
    """Open /account when the access token's time is over; the browser ends at `then`."""
    expire(page.context)
    page.goto("/account")
    expect(page).to_have_url(then)


def addresses(page: Page) -> list[str]:
    """Every address that is asked for from now on; the browser's own requests to renew are not among them."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def test_sign_in_binds_the_session_and_the_list_of_sessions_says_so(site: Site, page: Page, person: Person) -> None:
    bound(site, page, person)

    page.goto("/account/sessions")

    expect(page.get_by_text("Bound to its device")).to_have_count(1)


def test_double_click_on_sign_in_binds_one_session(site: Site, binding: Browser, person: Person) -> None:
    """Without a script both are sent, and the browser drops the first answer with its offer and its cookies."""
    context = binding.new_context(base_url=site.origin, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login")
    page.locator("#email").fill(person.email)
    page.locator("#password").fill(person.password)

    page.get_by_role("button", name="Sign in", exact=True).dblclick()

    expect(page).to_have_url("/dashboard")
    until_bound(site, page, person, 1)
    session = site.session_of(person)
    visit_expired(page)
    assert site.session_of(person).id == session.id
    assert site.session_of(person).generation == session.generation + 1
    context.close()


def test_visit_is_held_until_the_session_is_renewed(site: Site, page: Page, person: Person) -> None:
    session = bound(site, page, person)
    expire(page.context)
    asked = addresses(page)

    page.goto("/account")

    expect(page).to_have_url("/account")
    assert not [url for url in asked if "/auth/resume" in url]
    assert site.session_of(person).generation == session.generation + 1


def test_form_is_held_and_nothing_of_it_is_lost(site: Site, page: Page, person: Person) -> None:
    bound(site, page, person)
    page.goto("/account")
    page.get_by_label("Name", exact=True).fill("Ängström, held back")
    expire(page.context)
    asked = addresses(page)

    page.get_by_role("button", name="Save").click()

    expect(page.get_by_label("Name", exact=True)).to_have_value("Ängström, held back")
    assert not [url for url in asked if "/auth/resume" in url]
    assert events.NAME_CHANGED in site.events_of(person)


def test_tabs_at_once_renew_once(site: Site, page: Page, person: Person) -> None:
    session = bound(site, page, person)
    tabs = [page, *[page.context.new_page() for _ in range(3)]]
    expire(page.context)

    for tab in tabs:
        tab.evaluate("address => { setTimeout(() => location.assign(address)) }", f"{site.origin}/account")

    for tab in tabs:
        expect(tab).to_have_url("/account")
    assert site.session_of(person).generation == session.generation + 1


def test_server_that_starts_again_knows_the_device(site: Site, page: Page, person: Person) -> None:
    bound(site, page, person)
    site.restart()
    visit_expired(page)


def test_browser_that_starts_again_has_its_key(site: Site, binding: Browser, person: Person, tmp_path: Path) -> None:
    with closing(
        browsers.profile_that_binds_sessions(binding, site.proxy.key, tmp_path, base_url=site.origin)
    ) as context:
        page = context.new_page()
        bound(site, page, person)
    with closing(
        browsers.profile_that_binds_sessions(binding, site.proxy.key, tmp_path, base_url=site.origin)
    ) as context:
        page = context.new_page()
        visit_expired(page)


def test_copied_cookies_are_worth_nothing_once_the_access_token_is_over(
    site: Site, page: Page, person: Person, browser: Browser
) -> None:
    """The theft: every cookie of the owner's browser, in another browser."""
    bound(site, page, person)
    jar: Any = page.context.cookies()
    attacker: BrowserContext = browser.new_context(base_url=site.origin, ignore_https_errors=True)
    attacker.set_default_timeout(PATIENCE)
    attacker.add_cookies(jar)
    stolen = attacker.new_page()
    stolen.goto("/account")
    expect(stolen).to_have_url("/account")

    visit_expired(stolen, "/login?next=%2Faccount&notice=device_unproven")
    expect(stolen.get_by_text("bound to the device")).to_be_visible()

    for _ in range(3):  # beyond the generation that was copied
        visit_expired(page)
    visit_expired(stolen, "/login?next=%2Faccount&notice=device_unproven")
    attacker.close()
    page.goto("/dashboard")
    expect(page).to_have_url("/dashboard")
    told = site.events_of(person)
    assert events.SESSION_PROOF_MISSING in told
    assert events.SESSION_REUSED not in told


def test_copied_cookies_without_binding_end_the_session_of_both(site: Site, browser: Browser, person: Person) -> None:
    """What rotation does where no device proves itself: the one who comes second with an old token ends the family."""
    owner, attacker = [browser.new_context(base_url=site.origin, ignore_https_errors=True) for _ in range(2)]
    page = owner.new_page()
    sign_in(page, person)
    jar: Any = owner.cookies()
    attacker.add_cookies(jar)
    for _ in range(2):
        stolen = attacker.new_page()
        visit_expired(stolen)

    visit_expired(page, "/login?next=%2Faccount&notice=session_ended")
    stolen.goto("/account")
    expect(stolen).to_have_url("/login?next=%2Faccount")
    assert events.SESSION_REUSED in site.events_of(person)
    owner.close()
    attacker.close()


def test_database_that_takes_no_writes_signs_nobody_out(site: Site, page: Page, person: Person) -> None:
    """The renewal is answered 503; the request goes out with Secure-Session-Skipped, and is answered 503 as well."""
    bound(site, page, person)
    expire(page.context)
    with closing(sqlite3.connect(site.server.db_url.partition(":///")[2])) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = page.goto("/account", timeout=60_000)  # each statement that waits for the other one gives up late
        assert answer
        assert answer.status == 503
        other.rollback()

    page.goto("/account")

    expect(page).to_have_url("/account")
    assert events.SESSION_REVOKED not in site.events_of(person)


def test_sign_out_ends_it_in_the_browser_too(site: Site, page: Page, person: Person) -> None:
    session = bound(site, page, person)

    sign_out(page)
    expect(page).to_have_url("/login?notice=signed_out")
    page.goto("/account")

    expect(page).to_have_url("/login?next=%2Faccount")
    assert site.session_of(person).generation == session.generation
    assert not {cookie.get("name") for cookie in page.context.cookies()} & {ACCESS, REFRESH}
    bound(site, page, person)


def test_session_that_was_ended_elsewhere_is_over_here(site: Site, page: Page, person: Person) -> None:
    session = bound(site, page, person)
    site.server.run(lambda: logout_flow.end_own_session(person.id, session.id))
    visit_expired(page, "/login?next=%2Faccount")
    bound(site, page, person)


def test_new_password_binds_the_session_that_takes_its_place(site: Site, page: Page, person: Person) -> None:
    first = bound(site, page, person)
    page.goto("/account/password")
    page.locator("#current_password").fill(person.password)
    page.locator("#new_password").fill("another horse battery staple")
    page.get_by_role("button", name="Change password").click()
    until_bound(site, page, person, 2)
    visit_expired(page)
    assert site.session_of(person).id != first.id
    assert site.session_of(person).generation == 2
