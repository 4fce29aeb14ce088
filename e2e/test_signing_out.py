"""Signing out: this tab, the other tabs, the back button, and the forms that are still open."""

import re
from collections.abc import Callable

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.auth.models import user_rows
from app.auth.tokens import TokenPair
from e2e.support import header
from e2e.support.header import choose
from e2e.support.people import sessions_of, sign_in
from e2e.support.traffic import Traffic
from tests.support.people import Person, make_user
from tests.support.server import Server


def sign_out(page: Page) -> None:
    header.sign_out(page)
    expect(page.get_by_role("status")).to_have_text("You are signed out.")


def test_signing_out_ends_the_session_and_empties_the_jar(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/dashboard")

    sign_out(page)

    expect(page).to_have_url(re.compile(r"/login\?notice=signed_out$"))
    assert page.context.cookies() == []
    assert [row.revoked_for for row in sessions_of(server, person)] == ["logout"]


def test_other_tab_asks_to_sign_in_and_keeps_the_way_back(
    new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    # A browser of its own: one that has just got a session and sent none would be told about cookies.
    context = new_context(user_agent="Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0.0.0 of this test alone")
    sign_in(context, server, person)
    this, other = context.new_page(), context.new_page()
    this.goto("/dashboard")
    other.goto("/dashboard")
    sign_out(this)

    choose(other, "Your account")

    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(other).to_have_url(re.compile(r"/login\?next=%2Faccount$"))


def test_form_left_open_in_another_tab_is_not_saved_and_says_so(
    context: BrowserContext, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    this, other = context.new_page(), context.new_page()
    this.goto("/dashboard")
    other.goto("/account")
    other.get_by_label("Name").fill("Too late")
    sign_out(this)

    other.get_by_role("button", name="Save name").click()

    expect(other.get_by_role("status")).to_contain_text("your form was not saved")
    expect(other).to_have_url(re.compile(r"/login\?next=%2Faccount&"))
    assert names(server) & {"Too late"} == set()


def test_form_of_one_person_is_never_saved_as_another(context: BrowserContext, server: Server, person: Person) -> None:
    sign_in(context, server, person)
    form = context.new_page()
    form.goto("/account")
    form.get_by_label("Name").fill("Not for the next one")
    sign_in(context, server, server.run(make_user))

    form.get_by_role("button", name="Save name").click()

    expect(form.get_by_role("heading", level=1)).to_have_text("Conflict")
    assert names(server) & {"Not for the next one"} == set()


# v5.0.0-14.3.1, v5.0.0-14.3.2
@pytest.mark.parametrize("java_script", [True, False])
def test_back_after_signing_out_does_not_show_the_private_page(
    new_context: Callable[..., BrowserContext], server: Server, person: Person, java_script: bool
) -> None:
    context = new_context(java_script_enabled=java_script)
    sign_in(context, server, person)
    page = context.new_page()
    page.goto("/account")
    assert person.email in page.content()
    sign_out(page)

    page.go_back()

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert person.email not in page.content()


def test_page_that_the_browser_kept_asks_again_when_it_comes_back(page: Page, server: Server, person: Person) -> None:
    """The back/forward cache restores the page as it stood, no-store or not; only its own script can ask the server.

    Here the session ended elsewhere: nothing told this browser to forget, as over plain http a logout does not either.
    """
    pair = sign_in(page.context, server, person)
    page.goto("/account")
    page.evaluate("addEventListener('pageshow', (event) => sessionStorage.setItem('restored', event.persisted))")
    page.get_by_role("link", name="Lanyard").click()
    expect(page).to_have_url(f"{server.url}/")
    end_elsewhere(server, pair)

    page.go_back()

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert page.evaluate("sessionStorage.getItem('restored')") == "true"
    assert person.email not in page.content()


def test_page_that_the_browser_kept_opens_nothing_more_without_a_script(
    new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    """What holds then: the browser may show once more what it has shown before, and not one page more."""
    context = new_context(java_script_enabled=False)
    pair = sign_in(context, server, person)
    page = context.new_page()
    page.goto("/account")
    page.get_by_role("link", name="Lanyard").click()
    expect(page).to_have_url(f"{server.url}/")
    end_elsewhere(server, pair)
    traffic = Traffic(page)
    page.go_back(wait_until="commit")
    assert traffic.way() == []  # the browser's own copy: nobody was asked

    page.get_by_role("link", name="Devices").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def end_elsewhere(server: Server, pair: TokenPair) -> None:
    """The session ends, and this browser hears nothing of it."""
    answer = httpx.post(f"{server.url}/api/auth/logout", json={"refresh_token": pair.refresh_token})
    assert answer.status_code == 204


def names(server: Server) -> set[str]:
    return {row.name for row in server.run(lambda: db.fetch_all(sa.select(user_rows.c.name)))}
