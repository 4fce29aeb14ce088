"""Links, forms and cookies from other sites. To a browser 127.0.0.1 and localhost are two sites; the port is no part.

So `http://127.0.0.1:x` is another site, and `http://localhost:x` another origin of the same site: Strict
cookies travel with the neighbour's requests, and it can plant cookies.
"""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.auth.models import user_rows
from e2e.support.header import account_menu, sign_out
from e2e.support.people import cookie, drop_cookie, name_of, sessions_of, sign_in
from e2e.support.traffic import Traffic, sent_cookies
from tests.support.people import Person
from tests.support.server import Server

pytestmark = pytest.mark.long

CROSS_SITE, SAME_SITE = "127.0.0.1", "localhost"


class OtherSite:
    """One page on a server that is not ours."""

    def __init__(self, listener: ThreadingHTTPServer) -> None:
        self.html = ""
        self.port = listener.server_port

    def at(self, host: str) -> str:
        return f"http://{host}:{self.port}/"


@pytest.fixture
def other_site() -> Iterator[OtherSite]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(site.html.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        site = OtherSite(listener)
        thread = threading.Thread(target=listener.serve_forever, args=[0.01])
        thread.start()
        yield site
        listener.shutdown()
        thread.join()


def follow_a_link(page: Page, site: OtherSite, target: str) -> Traffic:
    """Click through from the page of the other site; returns what the browser then asked for."""
    site.html = f'<!doctype html><title>Elsewhere</title><a href="{target}">Have a look</a>'
    page.goto(site.at(CROSS_SITE))
    traffic = Traffic(page)
    page.get_by_role("link", name="Have a look").click()
    return traffic


def test_link_from_another_site_shows_the_page_to_who_is_signed_in(
    page: Page, server: Server, person: Person, other_site: OtherSite
) -> None:
    """Strict cookies stay at home on the way in; a page of ours reloads itself, and they come."""
    sign_in(page.context, server, person)

    traffic = follow_a_link(page, other_site, f"{server.url}/account?q=keys")

    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    assert traffic.way() == ["GET /account?q=keys"] * 2
    assert [bool(sent_cookies(visit)) for visit in traffic.visits()] == [False, True]


def test_link_from_another_site_renews_a_session_whose_access_token_is_over(
    page: Page, server: Server, person: Person, other_site: OtherSite
) -> None:
    sign_in(page.context, server, person)
    drop_cookie(page.context, "access")

    traffic = follow_a_link(page, other_site, f"{server.url}/account")

    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    assert traffic.way() == ["GET /account", "GET /account", "GET /auth/resume?next=%2Faccount", "GET /account"]
    assert [row.generation for row in sessions_of(server, person)] == [2]


def test_link_from_another_site_leads_who_is_not_signed_in_to_the_login_page(
    page: Page, server: Server, other_site: OtherSite
) -> None:
    traffic = follow_a_link(page, other_site, f"{server.url}/account")

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert traffic.way() == ["GET /account", "GET /account", "GET /login?next=%2Faccount"]


def test_bounce_leaves_no_page_behind_for_the_back_button(
    page: Page, server: Server, person: Person, other_site: OtherSite
) -> None:
    sign_in(page.context, server, person)
    follow_a_link(page, other_site, f"{server.url}/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")

    page.go_back(wait_until="commit")

    expect(page).to_have_url(other_site.at(CROSS_SITE))


def post_from(page: Page, site: OtherSite, host: str, action: str) -> Traffic:
    """A form that sends itself, as an attacker's page has it; returns what the browser asked for."""
    site.html = f"""<!doctype html><title>Elsewhere</title><form method="post" action="{action}">
        <input name="name" value="Planted by another site"></form>
        <script>document.forms[0].submit()</script>"""
    traffic = Traffic(page)
    page.goto(site.at(host))
    page.wait_for_url(action)
    return traffic


# A neighbour's request carries the cookies: there SameSite does not help, and the same-origin rule stands alone.
from_elsewhere = pytest.mark.parametrize(("host", "with_cookies"), [(CROSS_SITE, False), (SAME_SITE, True)])


@from_elsewhere
def test_logout_form_on_another_site_ends_no_session(
    page: Page, server: Server, person: Person, other_site: OtherSite, host: str, with_cookies: bool
) -> None:
    sign_in(page.context, server, person)

    traffic = post_from(page, other_site, host, f"{server.url}/logout")

    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    assert bool(sent_cookies(traffic.visits()[-1])) is with_cookies
    assert [row.revoked_at for row in sessions_of(server, person)] == [None]
    page.goto("/dashboard")
    expect(account_menu(page)).to_be_visible()


# v5.0.0-3.5.1
@from_elsewhere
def test_form_on_another_site_saves_nothing(
    page: Page, server: Server, person: Person, other_site: OtherSite, host: str, with_cookies: bool
) -> None:
    sign_in(page.context, server, person)

    traffic = post_from(page, other_site, host, f"{server.url}/account")

    expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    assert bool(sent_cookies(traffic.visits()[-1])) is with_cookies
    mine = sa.select(user_rows.c.name).where(user_rows.c.id == person.id)
    assert server.run(lambda: db.fetch_value(mine)) == person.name


@pytest.fixture
def planted(page: Page, server: Server, person: Person, other_site: OtherSite) -> str:
    """The name of a cookie that a neighbour planted beside the real one: a no-break space, then our cookie's name.

    The prefix `__Host-` does not stop it, for the name does not begin with it.
    """
    sign_in(page.context, server, person)
    name = f"\u00a0{name_of('refresh')}"
    other_site.html = f'<!doctype html><title>Elsewhere</title><script>document.cookie = "{name}=evil"</script>'
    page.goto(other_site.at(SAME_SITE))
    assert cookie_names(page.context) == {name, name_of("access"), name_of("refresh")}
    return name


# v5.0.0-3.3.3
def test_planted_cookie_does_not_override_the_refresh_token(page: Page, server: Server, planted: str) -> None:
    drop_cookie(page.context, "access")
    traffic = Traffic(page)

    page.goto("/dashboard")

    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Hello"))
    resumed = next(visit for visit in traffic.visits() if "/auth/resume" in visit.url)
    assert "evil" in sent_cookies(resumed)


def test_planted_cookie_signs_nobody_out(page: Page, server: Server, person: Person, planted: str) -> None:
    before = cookie(page.context, "refresh")

    for path in ("/", "/dashboard", "/account"):
        page.goto(path)
        expect(account_menu(page)).to_be_visible()

    assert cookie(page.context, "refresh") == before
    assert [row.revoked_at for row in sessions_of(server, person)] == [None]


def test_planted_cookie_does_not_keep_anybody_signed_in(
    page: Page, server: Server, person: Person, planted: str
) -> None:
    page.goto("/dashboard")

    sign_out(page)

    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    assert [row.revoked_for for row in sessions_of(server, person)] == ["logout"]
    assert cookie_names(page.context) <= {planted}


def cookie_names(context: BrowserContext) -> set[str]:
    return {one["name"] for one in context.cookies()}
