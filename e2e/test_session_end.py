"""A session that is about to end says so on a page with a form, and nothing that was typed is lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Locator, Page, expect

from app import db
from app.auth.models import session_rows
from app.settings import get_settings
from e2e.support.people import cookie, drop_cookie, sessions_of, sign_in
from e2e.test_signup import log_in
from tests.support.people import Person
from tests.support.server import Server

pytestmark = pytest.mark.long

TYPED = "Typed before the end"


def fill(page: Page) -> Locator:
    """The field, with the focus and a text that is not saved."""
    page.clock.install()
    page.goto("/account")
    field = page.get_by_label("Name", exact=True)
    field.fill(TYPED)
    return field


def notice(page: Page) -> Locator:
    return page.get_by_role("status")


def until_idle_end(page: Page, *, left: int) -> None:
    """Seconds. The browser drops the access cookie by its own clock, which no test moves."""
    page.clock.fast_forward((get_settings().refresh_token_seconds - left) * 1000)
    drop_cookie(page.context, "access")
    page.clock.run_for(6000)


def end_in(server: Server, person: Person, minutes: int) -> None:
    """Move the absolute end of the person's session."""
    ends = sa.update(session_rows).where(session_rows.c.user_id == person.id)
    server.run(lambda: db.execute(ends.values(ends_at=db.utcnow() + timedelta(minutes=minutes))))


def test_idle_end_is_announced_and_put_off_by_one_click(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    field = fill(page)
    until_idle_end(page, left=360)
    expect(notice(page)).to_have_count(0)
    page.clock.run_for(70_000)

    expect(notice(page)).to_contain_text("You will be signed out at")
    expect(field).to_be_focused()
    before = cookie(page.context, "refresh")
    notice(page).get_by_role("button", name="Stay signed in").click()

    expect(notice(page)).to_have_text("You stay signed in.")
    expect(field).to_be_focused()
    expect(field).to_have_value(TYPED)
    assert cookie(page.context, "refresh") != before
    assert [row.generation for row in sessions_of(server, person)] == [2]
    page.clock.run_for(20_000)
    expect(notice(page)).to_have_count(0)
    page.get_by_role("button", name="Save name").click()
    expect(notice(page)).to_have_text("Your name is changed.")


def test_other_tab_learns_that_the_session_goes_on(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    fill(page)  # the clock is that of all tabs
    other = context.new_page()
    other.goto("/account/email")
    until_idle_end(page, left=200)
    expect(notice(page)).to_contain_text("You will be signed out at")

    notice(other).get_by_role("button", name="Stay signed in").click()

    expect(notice(other)).to_have_text("You stay signed in.")
    expect(notice(page)).to_have_count(0)


def test_absolute_end_leads_to_a_new_sign_in_and_the_text_stays(
    context: BrowserContext, page: Page, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    end_in(server, person, 4)
    field = fill(page)
    page.clock.run_for(1000)

    expect(notice(page)).to_contain_text("cannot be extended")
    expect(notice(page).get_by_role("button")).to_have_count(0)
    expect(field).to_be_focused()
    with context.expect_page() as opened:
        notice(page).get_by_role("link", name="Sign in again").click()
    log_in(opened.value, person.email, person.password)

    expect(opened.value).to_have_url(f"{server.url}/account")
    expect(page.get_by_text("cannot be extended")).to_have_count(0)
    expect(field).to_have_value(TYPED)
    page.get_by_role("button", name="Save name").click()
    expect(notice(page)).to_have_text("Your name is changed.")


def test_end_that_has_passed_is_said(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    field = fill(page)
    until_idle_end(page, left=-1)

    page.clock.run_for(6000)

    expect(notice(page)).to_contain_text("Your session has ended.")
    expect(field).to_have_value(TYPED)


def test_session_that_ended_elsewhere_is_said_at_the_click(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    fill(page)
    until_idle_end(page, left=200)
    end_in(server, person, -1)

    notice(page).get_by_role("button", name="Stay signed in").click()

    expect(notice(page)).to_contain_text("Your session has ended.")


def test_server_that_cannot_be_reached_offers_another_try(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    fill(page)
    until_idle_end(page, left=200)
    page.route("**/api/auth/refresh", lambda route: route.abort())
    notice(page).get_by_role("button", name="Stay signed in").click()

    expect(notice(page)).to_contain_text("That did not work.")
    expect(notice(page).get_by_role("button")).to_be_focused()
    page.unroute_all()
    notice(page).get_by_role("button", name="Try again").click()
    expect(notice(page)).to_have_text("You stay signed in.")


def test_without_the_event_stream_and_without_javascript(
    new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    """No stream: the notice is the same. No script: the page is as it was."""
    context = new_context()
    sign_in(context, server, person)
    page = context.new_page()
    page.route("**/live.*js*", lambda route: route.abort())
    fill(page)
    until_idle_end(page, left=200)
    expect(notice(page)).to_contain_text("You will be signed out at")

    plain = new_context(java_script_enabled=False)
    sign_in(plain, server, person)
    quiet = plain.new_page()
    quiet.goto("/account")
    expect(quiet.get_by_label("Name", exact=True)).to_be_visible()
    expect(notice(quiet)).to_have_count(0)
