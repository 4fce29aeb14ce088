"""A page that the browser loads ahead renews, uses up, writes and shows nothing, whichever it is."""

import re

import pytest

from app import db
from app.auth import email_links
from app.main import route_table
from app.web import static_files
from tests.support.acts import rows
from tests.support.people import make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

PAGES = sorted({row["path"] for row in route_table() if row["method"] == "GET"})
SOME_ID = "01a20b13-1ac5-7880-b8cb-dc794c22012c"


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip", "x, prefetch"])
async def test_no_page_is_loaded_ahead(client: Visitor, database: str, purpose: str) -> None:
    """Somebody signed in, with a notice waiting and an access token whose time is over."""
    await sign_in(client, await make_user(role="admin"))
    client.put_cookie("__Host-notice", "name_changed")
    client.drop_cookie("__Host-access")
    before = await rows()
    headers = {"Sec-Purpose": purpose}

    for path in PAGES:
        here = re.sub(r"\{\w+\}", SOME_ID, path)
        answer = await client.visit(f"{here}?notice=name_changed&next=/account", site="none", headers=headers)

        assert (answer.status_code, answer.headers["vary"]) == (503, "Sec-Purpose"), path
        assert "no-store" in answer.headers["cache-control"], path
        assert "set-cookie" not in answer.headers, path
        assert "clear-site-data" not in answer.headers, path
    assert await rows() == before


async def test_refused_page_is_there_when_it_is_visited(client: Visitor, database: str) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie("__Host-access")
    ahead = await client.visit("/auth/resume?next=/account", headers={"Sec-Purpose": "prefetch"})
    assert ahead.status_code == 503

    visited = await client.visit("/auth/resume?next=/account", site="same-origin")

    assert (visited.status_code, visited.headers["location"]) == (303, "/account")


@pytest.mark.parametrize(
    ("page", "purpose"),
    [
        ("/verify-email", email_links.CHANGE_EMAIL),
        ("/reset-password", email_links.RESET),
        ("/reset-password", email_links.INVITE),
        ("/undo-email-change", email_links.UNDO_EMAIL),
    ],
)
async def test_mailed_link_that_is_loaded_ahead_is_not_used_up(
    client: Visitor, database: str, page: str, purpose: str
) -> None:
    """Mail programs and browsers do that to the links that they show."""
    person, now = await make_user(), db.utcnow()
    async with db.transaction() as tx:
        link = email_links.token(await email_links.make(tx, purpose, now, user_id=person.id, email="x@example.com"))

    answer = await client.visit(f"{page}?token={link}", headers={"Sec-Purpose": "prefetch;prerender"})

    assert answer.status_code == 503
    assert await email_links.find(link, purpose, now)


async def test_files_may_be_loaded_ahead(client: Visitor) -> None:
    answer = await client.get(static_files.url("app.css"), headers={"Sec-Purpose": "prefetch"})

    assert answer.status_code == 200


@pytest.mark.parametrize("purpose", ["", "fetch", "x-prefetc"])
async def test_other_purposes_are_visits(client: Visitor, database: str, purpose: str) -> None:
    assert (await client.visit("/login", headers={"Sec-Purpose": purpose})).status_code == 200
