"""Pages that the browser loads ahead of a visit (prefetch, prerender), by speculation rules in the page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from e2e.conftest import PATIENCE
from e2e.support import header
from e2e.support.people import cookie, drop_cookie, sessions_of, sign_in
from tests.support.people import Person
from tests.support.server import Server

pytestmark = pytest.mark.long

AHEAD = """([kind, urls]) => {
  const script = document.createElement("script");
  script.type = "speculationrules";
  script.textContent = JSON.stringify({ [kind]: [{ source: "list", urls, eagerness: "immediate" }] });
  document.head.append(script);
}"""
KINDS = ("prefetch", "prerender")


class Ahead:
    """Has a page load others ahead, and waits for what came of it, as DevTools tells it."""

    def __init__(self, page: Page, kind: str) -> None:
        self.page, self.kind = page, kind
        self.ended: dict[str, str] = {}
        self.devtools: CDPSession = page.context.new_cdp_session(page)
        self.devtools.send("Preload.enable")
        self.devtools.on(f"Preload.{kind}StatusUpdated", self._hear)

    def _hear(self, event: dict[str, object]) -> None:
        if event["status"] in ("Success", "Ready", "Failure"):
            self.ended[str(event["key"]["url"])] = str(event["status"])  # type: ignore[index]

    def load(self, *paths: str) -> dict[str, str]:
        """How it ended for each path: "Failure" for a page that is not kept."""
        base = self.page.evaluate("location.origin")
        self.page.evaluate(AHEAD, [self.kind, list(paths)])
        for _ in range(PATIENCE // 100):
            if len(self.ended) == len(paths):
                return {url.removeprefix(base): status for url, status in self.ended.items()}
            self.page.wait_for_timeout(100)
        pytest.fail(f"the browser loaded nothing ahead: {self.ended}")


@pytest.fixture
def mine(new_context: Callable[..., BrowserContext], server: Server, person: Person) -> Page:
    context = new_context(bypass_csp=True)  # the rules stand in a script of the test's own
    sign_in(context, server, person)
    return context.new_page()


@pytest.mark.parametrize("kind", KINDS)
def test_page_that_was_loaded_ahead_is_asked_for_again(mine: Page, server: Server, person: Person, kind: str) -> None:
    mine.goto("/dashboard")

    assert Ahead(mine, kind).load("/account", "/static/favicon.svg")["/account"] == "Failure"

    header.choose(mine, "Your account")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Your account")


@pytest.mark.parametrize("kind", KINDS)
def test_session_is_not_renewed_ahead(mine: Page, server: Server, person: Person, kind: str) -> None:
    mine.goto("/dashboard")
    drop_cookie(mine.context, "access")
    refresh = cookie(mine.context, "refresh")

    Ahead(mine, kind).load("/account", "/auth/resume?next=/account", "/login")

    assert cookie(mine.context, "refresh") == refresh
    assert [row.generation for row in sessions_of(server, person)] == [1]
    mine.goto("/account")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Your account")


@pytest.mark.parametrize("kind", KINDS)
def test_page_that_was_loaded_ahead_is_not_shown_after_signing_out(mine: Page, person: Person, kind: str) -> None:
    mine.goto("/dashboard")
    Ahead(mine, kind).load("/account", "/account/activity")
    header.sign_out(mine)
    expect(mine.get_by_role("status")).to_have_text("You are signed out.")

    mine.goto("/account")

    expect(mine.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert person.email not in mine.content()
