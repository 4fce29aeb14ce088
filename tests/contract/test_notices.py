"""A notice is shown once, to the browser that did the thing; a link that somebody sends around claims nothing."""

import re
from typing import Any

import httpx
import pytest

from app.web import features
from app.web.notices import WITHOUT_COOKIE, cookie_name, leave
from tests.support.people import Person, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
NOTICES = features.table("notices")
CLAIMING = sorted(NOTICES.keys() - WITHOUT_COOKIE)


def says(answer: httpx.Response) -> str:
    shown = re.sub(r"<template\b.*?</template>", "", answer.text, flags=re.DOTALL)  # waits for a script
    found = re.search(r'<div class="alert[^"]* notice"[^>]*>(.*?)</div>', shown, re.DOTALL)
    return re.sub(r"<[^>]+>", "", found[1]).strip() if found else ""


async def changed_its_name(client: Visitor) -> str:
    """Where the browser is led to then."""
    return str((await client.submit("/account", {"name": "Robin Renamed"})).headers["location"])


@pytest.fixture
async def person(client: Visitor) -> Person:
    person = await make_user()
    await sign_in(client, person)
    return person


@pytest.mark.parametrize("code", CLAIMING)
async def test_link_shows_nothing_to_who_follows_it(client: Visitor, code: str) -> None:
    for path in ("/login", "/"):
        assert says(await client.visit(f"{path}?notice={code}", site="cross-site")) == ""


@pytest.mark.parametrize("code", CLAIMING)
async def test_link_shows_nothing_to_somebody_signed_in_either(client: Visitor, person: Person, code: str) -> None:
    answer = await client.visit(f"/account?notice={code}", site="same-origin")

    assert answer.status_code == 200
    assert says(answer) == ""
    assert not answer.headers.get_list("set-cookie")


async def test_browser_that_did_it_reads_of_it_once(client: Visitor, person: Person) -> None:
    to = await changed_its_name(client)

    assert to == "/account?notice=name_changed"
    assert says(await client.visit(to)) == NOTICES["name_changed"].text
    assert client.cookie(cookie_name()) is None
    assert says(await client.visit(to)) == ""


async def test_another_browser_with_the_same_address_reads_nothing(
    client: Visitor, person: Person, make_client: Any
) -> None:
    other = make_client()
    await sign_in(other, person)

    to = await changed_its_name(client)

    assert says(await other.visit(to)) == ""


async def test_what_was_done_proves_nothing_else(client: Visitor, person: Person) -> None:
    await changed_its_name(client)

    assert says(await client.visit("/account?notice=password_changed")) == ""
    assert says(await client.visit("/account")) == ""
    assert says(await client.visit("/account?notice=name_changed")) == NOTICES["name_changed"].text


# v5.0.0-3.3.1, v5.0.0-3.3.2, v5.0.0-3.3.3, v5.0.0-3.3.4
async def test_cookie_of_a_notice_is_as_strict_as_the_others_and_short(client: Visitor, person: Person) -> None:
    answer = await client.submit("/account", {"name": "Robin Renamed"})

    (line,) = answer.headers.get_list("set-cookie")
    assert line.startswith("__Host-notice=name_changed;")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=60"} <= set(line.split("; "))


async def test_cookie_that_was_planted_beside_it_makes_it_none(client: Visitor, person: Person) -> None:
    to = await changed_its_name(client)
    headers = {"Cookie": f"{client.build_request('GET', to).headers['cookie']}; {cookie_name()}=name_changed"}

    assert says(await client.visit(to, headers=headers)) == ""


async def test_signing_out_says_so_once(client: Visitor, person: Person) -> None:
    """What clears the browser leaves cookies alone: `Clear-Site-Data` names the cache and the storage."""
    answer = await client.submit("/logout")

    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert answer.headers["location"] == "/login?notice=signed_out"
    assert says(await client.visit(answer.headers["location"])) == "You are signed out."
    assert says(await client.visit(answer.headers["location"])) == ""


async def test_browser_that_keeps_no_cookies_is_told_so(client: Visitor) -> None:
    """The only one that needs no cookie: it claims nothing that was done."""
    assert {"cookies"} == WITHOUT_COOKIE
    assert says(await client.visit("/login?notice=cookies")) == NOTICES["cookies"].text


async def test_undo_is_not_offered_by_a_link(client: Visitor) -> None:
    await sign_in(client, await make_user(role="admin"))
    victim = await make_user()
    to = (await client.submit(f"/admin/users/{victim.id}/deactivate")).headers["location"]

    assert '"undo"' in (await client.visit(to)).text
    assert '"undo"' not in (await client.visit(to)).text


def test_notice_that_there_is_not_cannot_be_left() -> None:
    with pytest.raises(KeyError):
        leave(httpx.Response(303), "anything")
