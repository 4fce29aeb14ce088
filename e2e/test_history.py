"""Back and forward after a session has ended: no page of it appears, with a script or without one.

Whichever way it ended, the browser learns of it at its next request here; what it shows from then on comes from the
server. Before that request it may show once more what it has shown already: nobody can tell it otherwise.
"""

from collections.abc import Callable

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.auth.accounts import logout_flow, user_admin
from app.auth.models import session_rows
from e2e.conftest import PATIENCE
from e2e.support import header
from e2e.support.people import cookie, sessions_of, sign_in
from tests.support.people import Person, make_user
from tests.support.server import Server

pytestmark = pytest.mark.long

NEW = "quite another long passphrase"


def by_button(page: Page, server: Server, person: Person) -> None:
    header.sign_out(page)


def elsewhere(page: Page, server: Server, person: Person) -> None:
    """By the list of devices in another browser."""
    (row,) = sessions_of(server, person)
    server.run(lambda: logout_flow.end_own_session(person.id, row.id))


def by_an_admin(page: Page, server: Server, person: Person) -> None:
    async def end() -> None:
        await user_admin.end_sessions(person.id, (await make_user(role="admin")).id)

    server.run(end)


def deactivated(page: Page, server: Server, person: Person) -> None:
    async def end() -> None:
        await user_admin.change(person.id, (await make_user(role="admin")).id, is_active=False)

    server.run(end)


def by_time(page: Page, server: Server, person: Person) -> None:
    """The session is over, and so are the cookies."""
    table = session_rows
    server.run(lambda: db.execute(sa.update(table).where(table.c.user_id == person.id).values(ends_at=db.utcnow())))
    page.context.clear_cookies()


def account_deleted(page: Page, server: Server, person: Person) -> None:
    page.goto("/account/delete")
    page.get_by_role("button", name="Delete").click()


def another_person(page: Page, server: Server, person: Person) -> None:
    """Somebody else signs in, in the same browser."""
    other = server.run(make_user)
    page.context.clear_cookies()
    page.goto("/login")
    page.locator("#email").fill(other.email)
    page.locator("#password").fill(other.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url("/dashboard")


def until_it_has_ended(page: Page, server: Server, access: str) -> None:
    """The server remembers a session for a moment."""
    for _ in range(PATIENCE // 100):
        if httpx.get(f"{server.url}/api/auth/me", headers={"Authorization": f"Bearer {access}"}).status_code == 401:
            return
        page.wait_for_timeout(100)
    pytest.fail("the session goes on")


TOLD_BY_NOBODY = [elsewhere, by_an_admin, deactivated]
ENDS = [by_button, elsewhere, by_an_admin, deactivated, by_time, account_deleted, another_person]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("java_script", [True, False], ids=["script", "no script"])
def test_no_page_of_a_session_that_has_ended_comes_back(
    new_context: Callable[..., BrowserContext],
    server: Server,
    person: Person,
    java_script: bool,
    end: Callable[[Page, Server, Person], None],
) -> None:
    context = new_context(java_script_enabled=java_script)
    sign_in(context, server, person)
    page = context.new_page()
    for path in ("/", "/account", "/account/activity", "/account/email"):
        page.goto(path)
    assert person.email in page.content()
    access = cookie(context, "access") or ""
    end(page, server, person)
    if end in TOLD_BY_NOBODY:
        until_it_has_ended(page, server, access)
    page.goto("/dashboard")  # the browser asks here once more

    for step in (*[page.go_back] * 6, *[page.go_forward] * 6):
        step(wait_until="commit")  # a page of the browser's own copy loads nothing
        if java_script:  # its script asks the server again
            expect(page.locator("body")).not_to_contain_text(person.email)
        assert person.email not in page.content(), page.url
