"""Pages are told of the end of their session without a click, and lose nothing that was typed."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.admin import overview
from app.auth import tokens
from app.auth.accounts import logout_flow
from app.auth.tokens import TokenPair
from e2e.support.header import sign_out
from e2e.support.people import cookie, drop_cookie, sign_in
from e2e.test_signup import log_in
from tests.support.people import Person, make_user
from tests.support.server import Server

pytestmark = pytest.mark.long

EVENTS = "/session/events"
SIGNED_OUT = "You were signed out."


def ends(server: Server, pair: TokenPair) -> None:
    """In another process than the server's."""

    async def work() -> None:
        token = tokens.read(pair.access_token, "access", db.utcnow())
        assert token
        await logout_flow.logout([token])

    server.run(work)


def opens(page: Page, path: str) -> None:
    """Until the page listens."""
    with page.expect_response(f"**{EVENTS}") as listening:
        page.goto(path)
    assert listening.value.status == 200


def is_hidden(page: Page, hidden: bool) -> None:
    """The pages of these tests are all visible, to the browser."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def typed(page: Page) -> str:
    return page.get_by_label("Name", exact=True).input_value()


def test_session_that_ends_elsewhere_is_told_and_what_was_typed_can_still_be_sent(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    pair = sign_in(context, server, person)
    opens(page, "/account")
    page.get_by_label("Name", exact=True).fill("Typed before")
    ends(server, pair)

    notice = page.get_by_role("alert")
    expect(notice).to_contain_text(SIGNED_OUT)
    assert typed(page) == "Typed before"
    with context.expect_page() as opened:
        notice.get_by_role("link", name="Sign in again").click()
    log_in(opened.value, person.email, person.password)
    expect(opened.value).to_have_url(f"{server.url}/account")
    expect(notice).to_have_count(0)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Your name is changed.")
    assert typed(page) == "Typed before"


def test_six_tabs_have_one_connection_and_all_are_told(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    """HTTP/1.1 has six connections for a site: a seventh page would never load."""
    pair = sign_in(context, server, person)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url) if EVENTS in request.url else None)
    opens(page, "/account")
    tabs = [context.new_page() for _ in range(6)]
    for tab in tabs:
        tab.goto("/account")
    ends(server, pair)

    for tab in [page, *tabs]:
        expect(tab.get_by_role("alert")).to_contain_text(SIGNED_OUT)
    assert asked == [f"{server.url}{EVENTS}"]


def test_next_tab_listens_when_the_first_is_closed(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    pair = sign_in(context, server, person)
    opens(page, "/account")
    second = context.new_page()
    second.goto("/account")
    with second.expect_response(f"**{EVENTS}"):
        page.close()
    ends(server, pair)

    expect(second.get_by_role("alert")).to_contain_text(SIGNED_OUT)


def test_signing_out_in_one_tab_is_told_in_the_other(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    opens(page, "/account")
    second = context.new_page()
    second.goto("/dashboard")
    sign_out(second)

    expect(page.get_by_role("alert")).to_contain_text(SIGNED_OUT)


def test_somebody_else_who_signs_in_is_told_to_the_page_of_the_first(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    opens(page, "/account")
    sign_in(context, server, server.run(make_user))
    context.new_page().goto("/account")

    expect(page.get_by_role("alert")).to_contain_text(SIGNED_OUT)


def test_stream_that_is_opened_after_the_access_token_expired_renews_and_ends_nothing(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    opens(page, "/account")
    before = cookie(context, "refresh")
    drop_cookie(context, "access")
    second = context.new_page()
    second.goto("/healthz")  # a page that renews nothing
    is_hidden(page, True)
    with page.expect_response(f"**{EVENTS}") as answer:
        is_hidden(page, False)
    assert (answer.value.status, answer.value.json()["error"]) == (401, "token_expired")
    assert "set-cookie" not in answer.value.headers

    assert cookie(context, "refresh") == before
    expect(page.get_by_role("alert")).to_have_count(0)
    # The second page has renewed the token. One of the two listens from now on: the one that gets the lock.
    with context.expect_event("response", lambda response: response.url.endswith(EVENTS)) as listening:
        second.goto("/dashboard")
    expect(second.get_by_role("heading", level=1)).to_contain_text("Hello, ")
    assert listening.value.status == 200


def test_session_that_ended_while_the_tab_was_hidden_is_told_when_it_is_shown(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    pair = sign_in(context, server, person)
    opens(page, "/account")
    is_hidden(page, True)
    ends(server, pair)
    is_hidden(page, False)

    expect(page.get_by_role("alert")).to_contain_text(SIGNED_OUT)


def test_numbers_of_the_admin_area_change_by_themselves(
    new_context: Callable[..., BrowserContext], server: Server
) -> None:
    context = new_context()
    sign_in(context, server, server.run(lambda: make_user(role="admin")))
    page = context.new_page()
    with page.expect_response("**/admin/events"):
        page.goto("/admin")
    users = page.locator("[data-number=people]")
    before = int(users.inner_text().replace(",", ""))
    server.run(make_user)

    expect(users).to_have_text(f"{before + 1:,}", timeout=2000 * overview.LIVE_SECONDS)
