"""Somebody holds a copy of the cookies. Once both have gone on, the older copy gives itself away, and both are out."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.support.header import account_menu, choose
from e2e.support.people import cookie, drop_cookie, put_cookie, sessions_of, sign_in
from tests.support.people import Person
from tests.support.server import Server


@pytest.fixture
def victim(context: BrowserContext, server: Server, person: Person) -> Page:
    """On the dashboard, signed in."""
    sign_in(context, server, person)
    page = context.new_page()
    page.goto("/dashboard")
    return page


@pytest.fixture
def attacker(new_context: Callable[..., BrowserContext], victim: Page) -> Page:
    """In a browser of their own, with a copy of the victim's refresh cookie."""
    context = new_context()
    put_cookie(context, "refresh", cookie(victim.context, "refresh") or "")
    return context.new_page()


def renew_twice(page: Page) -> None:
    """Go on for two lifetimes of an access token: the copy of the other is then two generations old."""
    for _ in range(2):
        drop_cookie(page.context, "access")
        page.goto("/dashboard")
        expect(account_menu(page)).to_be_visible()


# Who went on meanwhile, and who comes back with the old copy.
either_way = pytest.mark.parametrize(("ahead", "behind"), [("victim", "attacker"), ("attacker", "victim")])


@either_way
def test_old_copy_ends_the_session_and_its_bearer_reads_why(
    request: pytest.FixtureRequest,
    server: Server,
    person: Person,
    victim: Page,
    attacker: Page,
    ahead: str,
    behind: str,
) -> None:
    renew_twice(request.getfixturevalue(ahead))
    page = request.getfixturevalue(behind)
    drop_cookie(page.context, "access")

    page.goto("/account")

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_role("status")).to_contain_text("an old token was used again")
    assert [row.revoked_for for row in sessions_of(server, person)] == ["reuse"]


@either_way
def test_old_copy_puts_the_other_one_out_too(
    request: pytest.FixtureRequest, victim: Page, attacker: Page, ahead: str, behind: str
) -> None:
    other, page = request.getfixturevalue(ahead), request.getfixturevalue(behind)
    renew_twice(other)
    drop_cookie(page.context, "access")
    page.goto("/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert cookie(other.context, "access")  # good by its own times: it is the session that is over

    choose(other, "Your account")

    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_victim_signs_in_again_and_the_copy_stays_worthless(
    server: Server, person: Person, victim: Page, attacker: Page
) -> None:
    renew_twice(attacker)
    drop_cookie(victim.context, "access")
    victim.goto("/account")
    victim.get_by_label("E-mail").fill(person.email)
    victim.get_by_label("Password", exact=True).fill(person.password)
    victim.get_by_role("button", name="Sign in").click()
    expect(victim.get_by_role("heading", level=1)).to_have_text("Your account")

    drop_cookie(attacker.context, "access")
    attacker.goto("/account")

    expect(attacker.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert [row.revoked_for for row in sessions_of(server, person)] == ["reuse", None]
