"""The access token ends after minutes, and nobody notices: not on a page, not in a form, not in four tabs."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.auth.models import user_rows
from e2e.support.header import account_menu
from e2e.support.people import cookie, drop_cookie, put_cookie, sessions_of, sign_in
from e2e.support.traffic import Traffic, sent_cookies
from tests.support import forge
from tests.support.people import Person
from tests.support.server import Server

TEXT = "“Quotes”, 100 % + a & b = c; ein Übermaß, 漢字, 🪪 <b>and more</b>"


def expire(context: BrowserContext) -> None:
    """The access token is over, and the browser still holds it: its clock is behind."""
    put_cookie(context, "access", forge.expired(cookie(context, "access") or ""))


def drop(context: BrowserContext) -> None:
    """The access cookie's Max-Age is over, so the browser has dropped it."""
    drop_cookie(context, "access")


over = pytest.mark.parametrize("end", [expire, drop])


def name_of(server: Server, person: Person) -> str:
    return str(server.run(lambda: db.fetch_value(sa.select(user_rows.c.name).where(user_rows.c.id == person.id))))


@over
def test_page_is_shown_and_both_cookies_are_renewed(
    page: Page, server: Server, person: Person, end: Callable[[BrowserContext], None]
) -> None:
    first = sign_in(page.context, server, person)
    end(page.context)
    traffic = Traffic(page)

    page.goto("/account?q=x")

    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    assert traffic.way() == ["GET /account?q=x", "GET /auth/resume?next=%2Faccount%3Fq%3Dx", "GET /account?q=x"]
    assert cookie(page.context, "access") not in (None, first.access_token)
    assert cookie(page.context, "refresh") not in (None, first.refresh_token)
    assert [row.generation for row in sessions_of(server, person)] == [2]


@over
def test_form_that_is_sent_is_saved_once_with_its_text(
    page: Page, server: Server, person: Person, end: Callable[[BrowserContext], None]
) -> None:
    sign_in(page.context, server, person)
    page.goto("/account")
    page.get_by_label("Name").fill(TEXT)
    end(page.context)
    traffic = Traffic(page)

    page.get_by_role("button", name="Save name").click()

    expect(page.get_by_role("status")).to_have_text("Your name is changed.")
    assert traffic.way()[:3] == ["POST /account", "POST /auth/resume?next=%2Faccount", "POST /account"]
    assert len({request.post_data for request in traffic.visits()[:3]}) == 1
    assert name_of(server, person) == TEXT


def test_form_that_was_refused_once_survives_too(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/account")
    page.get_by_label("Name").evaluate("field => field.removeAttribute('maxlength')")  # the server's limit counts
    page.get_by_label("Name").fill(2 * TEXT)
    drop(page.context)

    page.get_by_role("button", name="Save name").click()

    expect(page.get_by_role("alert")).to_contain_text("Name")
    expect(page.get_by_label("Name")).to_have_value(2 * TEXT)
    assert name_of(server, person) == person.name


def test_page_without_a_login_renews_nothing(page: Page, server: Server, person: Person) -> None:
    """The front page is public: no reason to rotate."""
    sign_in(page.context, server, person)
    expire(page.context)

    page.goto("/")

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert [row.generation for row in sessions_of(server, person)] == [1]


TABS = ["/dashboard", "/account", "/account/activity", "/account?q=keys"]


@contextmanager
def nothing_can_be_written(server: Server) -> Iterator[None]:
    """Hold the database's write lock: who wants to rotate waits until it is released."""
    with closing(sqlite3.connect(server.db_url.partition("///")[2], isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def open_at_once(context: BrowserContext, server: Server) -> None:
    """Four tabs go to private pages, and each presents the refresh cookie before the first gets an answer.

    The paths differ because a browser sends equal ones one after the other. Asserted here, or the tests would pass
    without a race.
    """
    refresh = cookie(context, "refresh") or ""
    tabs = [context.new_page() for _ in TABS]
    for tab in tabs:
        tab.goto("/")
    traffic = Traffic(context)
    with nothing_can_be_written(server):
        for tab, path in zip(tabs, TABS, strict=True):
            tab.evaluate("path => { location.assign(path) }", path)
        while len(resumed := [visit for visit in traffic.visits() if "/auth/resume?" in visit.url]) < len(TABS):
            context.wait_for_event("request")
        # A fifth page, which needs no renewal, comes and goes: by then the four requests have left with their cookies.
        fifth = context.new_page()
        fifth.goto("/")
        fifth.close()
        assert cookie(context, "refresh") == refresh  # nobody has an answer yet
    assert [refresh in sent_cookies(request) for request in resumed] == [True] * len(TABS)


def test_four_tabs_at_once_all_show_their_page(context: BrowserContext, server: Server, person: Person) -> None:
    """One of them rotates, the others are handed the same successor."""
    sign_in(context, server, person)
    expire(context)

    open_at_once(context, server)

    for tab, path in zip(context.pages, TABS, strict=True):
        expect(tab).to_have_url(server.url + path)
        expect(account_menu(tab)).to_be_visible()
    assert [(row.generation, row.revoked_at) for row in sessions_of(server, person)] == [(2, None)]


def test_browser_stays_signed_in_after_four_tabs_at_once(
    context: BrowserContext, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    drop(context)
    open_at_once(context, server)
    for tab in context.pages:
        expect(account_menu(tab)).to_be_visible()

    expire(context)
    context.pages[2].goto("/dashboard")

    expect(context.pages[2].get_by_role("heading", level=1)).to_have_text(re.compile("^Hello"))
    assert [(row.generation, row.revoked_at) for row in sessions_of(server, person)] == [(3, None)]
