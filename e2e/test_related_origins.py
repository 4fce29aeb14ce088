"""One passkey for two origins: a site that has moved, and both of its names over TLS (WebAuthn, related origins)."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.conftest import PATIENCE
from e2e.support import browser as browsers
from e2e.test_passkeys import Phone, can
from tests.support.broken_front import broken_at
from tests.support.people import Person, make_user
from tests.support.server import Server, free_port, running

pytestmark = pytest.mark.race
OLD, NEW = "old.example", "new.example"
LISTED, UNLISTED = f"https://{NEW}", "https://third.example"


@pytest.fixture(params=[LISTED, UNLISTED])
def sites(request: pytest.FixtureRequest, browser: Browser) -> Iterator[tuple[Server, Page]]:
    """The old site, which lists `request.param`, and a page of a browser that knows both."""
    with ExitStack() as stack:
        common = {"APP_ENV": "production", "APP_ARGON2_MEMORY_KIB": "19456"}
        old = stack.enter_context(running(PUBLIC_ORIGIN=f"https://{OLD}", APP_RELATED_ORIGINS=request.param, **common))
        variables = {"PUBLIC_ORIGIN": f"https://{NEW}", "APP_PASSKEY_SITE": OLD, "DATABASE_URL": old.db_url}
        new = stack.enter_context(running(**variables, **common))
        fronts = [stack.enter_context(broken_at("", server.port, free_port())) for server in (old, new)]
        ports = {host: front.port for host, front in zip((OLD, NEW), fronts, strict=True)}
        knowing = browsers.that_knows(browser, ports, *(front.key for front in fronts))
        stack.callback(knowing.close)
        context = knowing.new_context()
        context.set_default_timeout(PATIENCE)
        yield old, context.new_page()


def added_at_the_old_site(page: Page, person: Person) -> None:
    Phone(page)
    page.goto(f"https://{OLD}/login?next=/account/passkeys")
    page.locator("#email").fill(person.email)
    page.locator("#password").fill(person.password)
    page.locator("[data-can-keep-passkeys]").evaluate("field => field.remove()")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("The passkey is added")


def test_passkey_of_the_old_site_signs_in_at_the_new_one(sites: tuple[Server, Page]) -> None:
    old, page = sites
    person = old.run(make_user)
    listed = httpx.get(f"http://127.0.0.1:{old.port}/.well-known/webauthn", headers={"Host": OLD})
    assert listed.headers["content-type"] == "application/json"
    added_at_the_old_site(page, person)
    can(page)

    page.goto(f"https://{NEW}/login/passkey?next=/account")
    page.get_by_role("button", name="Continue").click()

    if listed.json() == {"origins": [LISTED]}:
        expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
        assert page.url == f"https://{NEW}/account"
    else:
        expect(page.get_by_text("No passkey was used")).to_be_visible()
