"""An administrator closes an account and opens it again, and has to prove the password for it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.support.header import account_menu, choose
from e2e.support.people import let_an_hour_pass, sessions_of, sign_in
from tests.support.people import PASSWORD, Person, make_user
from tests.support.server import Server

pytestmark = pytest.mark.long


@pytest.fixture
def admin(server: Server) -> Person:
    return server.run(lambda: make_user(role="admin", name="Alex Admin"))


@pytest.fixture
def admin_area(new_context: Callable[..., BrowserContext], server: Server, admin: Person) -> Page:
    """The administrator's browser; the password was typed just now."""
    context = new_context()
    sign_in(context, server, admin)
    return context.new_page()


@pytest.fixture
def stale_admin_area(admin_area: Page) -> Page:
    """The same, but the password was typed an hour ago."""
    let_an_hour_pass(admin_area.context)
    return admin_area


def ask_to(page: Page, action: str, person: Person) -> None:
    """From the list to the confirmation page, or to what stands before it."""
    page.goto("/admin/users")
    page.get_by_label("Search users").fill(person.email)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("row", name=person.email).get_by_role("link", name=f"{action} {person.name}").click()


def test_old_password_is_asked_for_before_the_confirmation(stale_admin_area: Page, person: Person) -> None:
    ask_to(stale_admin_area, "Deactivate", person)

    expect(stale_admin_area.get_by_role("heading", level=1)).to_have_text("Confirm your identity")
    expect(stale_admin_area.get_by_label("Password", exact=True)).to_be_focused()


def test_proven_password_comes_back_to_the_confirmation(
    stale_admin_area: Page, server: Server, admin: Person, person: Person
) -> None:
    """Under a new session: a copy of the old tokens gains nothing."""
    ask_to(stale_admin_area, "Deactivate", person)

    stale_admin_area.get_by_label("Password", exact=True).fill(admin.password)
    stale_admin_area.get_by_role("button", name="Continue").click()

    expect(stale_admin_area.get_by_role("heading", level=1)).to_have_text("Deactivate this user?")
    expect(stale_admin_area).to_have_url(re.compile(f"/admin/users/{person.id}/deactivate$"))
    expect(stale_admin_area.get_by_role("main")).to_contain_text(person.email)
    assert [row.revoked_for for row in sessions_of(server, admin)] == ["replaced", None]


def test_wrong_password_opens_no_confirmation(stale_admin_area: Page, person: Person) -> None:
    ask_to(stale_admin_area, "Deactivate", person)

    stale_admin_area.get_by_label("Password", exact=True).fill("not the right passphrase")
    stale_admin_area.get_by_role("button", name="Continue").click()

    expect(stale_admin_area.get_by_role("alert")).to_have_text("The password is wrong.")
    expect(stale_admin_area.get_by_role("alert")).to_be_focused()


def test_confirmation_left_open_too_long_does_nothing_and_asks(
    admin_area: Page, context: BrowserContext, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    ask_to(admin_area, "Deactivate", person)
    let_an_hour_pass(admin_area.context)

    admin_area.get_by_role("button", name="Deactivate").click()

    expect(admin_area.get_by_role("heading", level=1)).to_have_text("Confirm your identity")
    assert [row.revoked_at for row in sessions_of(server, person)] == [None]


def test_deactivated_person_is_out_at_the_next_click(
    admin_area: Page, context: BrowserContext, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    theirs = context.new_page()
    theirs.goto("/dashboard")
    expect(account_menu(theirs)).to_be_visible()
    ask_to(admin_area, "Deactivate", person)
    admin_area.get_by_role("button", name="Deactivate").click()
    expect(admin_area.get_by_role("status")).to_have_text("The account is deactivated and its sessions have ended.")

    choose(theirs, "Your account")

    expect(theirs.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_deactivation_is_undone_with_the_password(
    admin_area: Page, context: BrowserContext, server: Server, person: Person
) -> None:
    ask_to(admin_area, "Deactivate", person)
    admin_area.get_by_role("button", name="Deactivate").click()
    expect(admin_area.get_by_role("heading", level=1)).to_have_text(person.name)

    admin_area.get_by_role("link", name="Undo: reactivate").click()
    admin_area.get_by_role("button", name="Reactivate").click()
    expect(admin_area.get_by_label("Your password")).to_have_accessible_description(re.compile("Please fill this in."))
    admin_area.get_by_label("Your password").fill(PASSWORD)
    admin_area.get_by_role("button", name="Reactivate").click()

    expect(admin_area.get_by_role("status")).to_have_text("The account is active again.")
    expect(admin_area.get_by_role("link", name="Undo")).to_have_count(0)
    theirs = context.new_page()
    enter(theirs, person)
    expect(account_menu(theirs)).to_be_visible()


def test_deactivated_person_cannot_sign_in_until_reactivated(
    admin_area: Page, context: BrowserContext, person: Person
) -> None:
    theirs = context.new_page()
    ask_to(admin_area, "Deactivate", person)
    admin_area.get_by_role("button", name="Deactivate").click()
    expect(admin_area.get_by_role("status")).to_be_visible()
    enter(theirs, person)
    expect(theirs.get_by_role("alert")).to_contain_text("the account cannot be used")

    ask_to(admin_area, "Reactivate", person)
    admin_area.get_by_label("Your password").fill(PASSWORD)
    admin_area.get_by_role("button", name="Reactivate").click()
    expect(admin_area.get_by_role("status")).to_have_text("The account is active again.")
    enter(theirs, person)

    expect(theirs.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")


def test_ended_sessions_put_the_person_out_and_leave_the_account_open(
    admin_area: Page, context: BrowserContext, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    theirs = context.new_page()
    theirs.goto("/dashboard")
    ask_to(admin_area, "End sessions of", person)
    admin_area.get_by_role("button", name="End sessions").click()
    expect(admin_area.get_by_role("status")).to_have_text("The sessions have ended.")

    choose(theirs, "Your account")
    expect(theirs.get_by_role("heading", level=1)).to_have_text("Sign in")
    enter(theirs, person)

    expect(account_menu(theirs)).to_be_visible()


def test_ordinary_person_is_shown_no_way_in_and_refused(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/dashboard")
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)

    page.goto("/admin/users")

    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    expect(account_menu(page)).to_be_visible()


def test_administrator_is_offered_nothing_against_oneself(admin_area: Page, admin: Person) -> None:
    admin_area.goto(f"/admin/users?q={admin.email}")

    row = admin_area.get_by_role("row", name=admin.email)

    expect(row).to_contain_text("You")
    expect(row.get_by_role("link")).to_have_text([admin.name])
    row.get_by_role("link").click()
    expect(admin_area.get_by_role("main")).to_contain_text("This is your own account")
    expect(admin_area.get_by_role("link", name="Deactivate")).to_have_count(0)


def enter(page: Page, person: Person) -> None:
    page.goto("/login")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("button", name="Sign in").click()
