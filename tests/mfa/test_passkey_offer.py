"""The offer of a passkey after a sign-in with the password: when it is made, and what it takes to accept it."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events, queries
from app.auth import cookies, tokens
from app.auth.accounts import logout_flow, passkey_offer
from app.auth.errors import SessionEnded
from app.auth.models import user_rows
from app.mfa import enrolment, passkeys, webauthn
from tests.support.clock import Clock
from tests.support.device import PRESENT, Device, with_a_device
from tests.support.mailbox import emails_to
from tests.support.people import PASSWORD, Person, make_user
from tests.support.phone import with_a_phone
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
PAGE = "/account/passkeys/offer"


async def signs_in(client: Visitor, person: Person, *, can: bool = True) -> str:
    """Sign in at the login page, on the way to a page; where that leads. `can`: this device could keep a passkey."""
    fields = {"email": person.email, "password": PASSWORD, "next": "/account", "offer": "1" if can else ""}
    return str((await client.submit("/login", fields)).headers["location"])


async def offered(client: Visitor, to: str) -> tuple[httpx.Response, dict[str, Any]]:
    """The page of the offer, and what its script asks the device for."""
    address = urlsplit(to)
    page = await client.visit(f"{address.path}?{address.query}")
    found = re.search(r'data-offered-after-sign-in="([^"]*)"', page.text)
    assert found
    return page, json.loads(unescape(found[1])) | {"challenge": address.fragment}


def session_of(client: Visitor) -> UUID:
    token = tokens.read(client.cookie(cookies.access_name()), "access", db.utcnow())
    assert token
    return token.sid


async def test_sign_in_is_answered_with_an_offer_that_needs_no_password(client: Visitor, database: str) -> None:
    person, device = await make_user(), Device()
    to = await signs_in(client, person)
    assert to.startswith(f"{PAGE}?next=%2Faccount#")
    page, options = await offered(client, to)
    assert urlsplit(to).fragment not in page.text

    done = await client.submit(PAGE, {"credential": device.create(options), "next": "/account"})

    assert done.headers["location"] == "/account?notice=passkey_added"
    (row,) = await passkeys.of_user(person.id)
    assert row.name == "Python"
    assert len(await emails_to(person.email)) == 1
    assert await passkeys.sign_in(device.get({"rpId": "testserver", "challenge": _signing()}))


def _signing() -> str:
    return webauthn.challenge(webauthn.SIGN_IN, db.utcnow())


async def test_password_manager_may_make_one_without_asking_and_its_use_asks(client: Visitor, database: str) -> None:
    """Conditional create: neither presence nor verification is in the response (step 15 of section 7.1)."""
    person, device = await make_user(), Device()
    _, options = await offered(client, await signs_in(client, person))

    done = await client.submit(PAGE, {"credential": device.create(options, flags=0), "next": "/account"})

    assert done.headers["location"] == "/account?notice=passkey_added"
    careless = device.get({"rpId": "testserver", "challenge": _signing()}, flags=PRESENT)
    assert await passkeys.sign_in(careless) is None


async def test_next_offer_comes_a_month_later(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    assert (await signs_in(client, person)).startswith(PAGE)
    assert await signs_in(client, person) == "/account"

    clock.forward(days=passkey_offer.AGAIN_AFTER.days, seconds=-1)
    assert await signs_in(client, person) == "/account"
    clock.forward(seconds=2)

    assert (await signs_in(client, person)).startswith(PAGE)


async def test_no_is_never_asked_again(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    await signs_in(client, person)

    done = await client.submit(f"{PAGE}/decline", {"next": "/account"})

    assert done.headers["location"] == "/account"
    clock.forward(days=3650)
    assert await signs_in(client, person) == "/account"


async def test_owner_of_a_passkey_is_offered_none(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    await with_a_device(person)
    clock.forward(days=3650)

    assert await signs_in(client, person) == "/account"


async def test_browser_that_keeps_none_is_offered_none(client: Visitor, database: str) -> None:
    assert await signs_in(client, await make_user(), can=False) == "/account"


async def test_new_password_comes_first(client: Visitor, database: str) -> None:
    person = await make_user()
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(must_change_password=True))

    assert await signs_in(client, person) == "/account"


async def test_second_step_is_awaited(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(minutes=2)
    assert await signs_in(client, person) == "/login/code?next=%2Faccount"

    done = await client.submit("/login/code", {"code": phone.shows(clock.now), "next": "/account", "offer": "1"})

    assert done.headers["location"].startswith(f"{PAGE}?next=%2Faccount#")


async def refused(client: Visitor, person: Person, credential: str) -> bool:
    done = await client.submit(PAGE, {"credential": credential, "next": "/account"})
    return bool(
        done.headers["location"] == "/account/passkeys?notice=passkey_not_added"
        and not await passkeys.of_user(person.id)
    )


# v5.0.0-7.5.1
async def test_copied_cookies_find_no_challenge_on_the_page(client: Visitor, database: str) -> None:
    person = await make_user()
    await signs_in(client, person)

    _, options = await offered(client, PAGE)

    assert options["challenge"] == ""
    assert await refused(client, person, Device().create(options))


async def test_offer_is_over_after_five_minutes(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    _, options = await offered(client, await signs_in(client, person))
    clock.forward(seconds=passkey_offer.PROOF_LIFETIME.total_seconds())

    assert await refused(client, person, Device().create(options))


async def test_offer_is_for_one_session(client: Visitor, database: str) -> None:
    """An attacker who has signed in to an account of their own has its challenge, and the victim's cookies."""
    attacker, victim = await make_user(), await make_user()
    theirs = await signs_in(client, attacker)
    client.cookies.clear()
    await signs_in(client, victim)
    _, options = await offered(client, theirs)

    assert await refused(client, victim, Device().create(options))


async def test_offer_is_accepted_once(client: Visitor, database: str) -> None:
    person = await make_user()
    _, options = await offered(client, await signs_in(client, person))
    sid = session_of(client)

    assert await enrolment.add_offered_passkey(person.id, sid, Device().create(options))

    assert not await enrolment.add_offered_passkey(person.id, sid, Device().create(options))
    assert len(await passkeys.of_user(person.id)) == 1


async def test_session_that_has_ended_accepts_nothing(client: Visitor, database: str) -> None:
    person = await make_user()
    _, options = await offered(client, await signs_in(client, person))
    sid = session_of(client)
    await logout_flow.end_own_session(person.id, sid)

    with pytest.raises(SessionEnded):
        await enrolment.add_offered_passkey(person.id, sid, Device().create(options))

    assert await passkeys.of_user(person.id) == []
    assert events.PASSKEY_ADDED not in [row.event for row in await queries.of_user(person.id)]


async def test_device_of_somebody_else_is_not_taken_over(client: Visitor, database: str) -> None:
    """A credential id is public to the sites that list it; it belongs to one account."""
    other = await with_a_device(await make_user())
    person = await make_user()
    _, options = await offered(client, await signs_in(client, person))

    assert await refused(client, person, other.create(options))


@pytest.mark.parametrize("method", ["password", "passkey"])
async def test_login_page_names_the_last_method_of_this_browser(client: Visitor, database: str, method: str) -> None:
    person = await make_user()
    device = await with_a_device(person)
    assert "The last sign-in here" not in (await client.visit("/login")).text
    if method == "password":
        await signs_in(client, person)
    else:
        credential = device.get({"rpId": "testserver", "challenge": _signing()})
        await client.submit("/login/passkey", {"credential": credential})
    await client.submit("/logout")

    page = (await client.visit("/login")).text

    assert client.cookie("__Host-method") == method
    assert ("The last sign-in here was with a passkey" in page) == (method == "passkey")
    assert ("The last sign-in here was with the password" in page) == (method == "password")


@pytest.mark.parametrize("planted", ["<script>", "Passkey", "", "password, passkey"])
async def test_other_words_in_the_cookie_are_not_shown(client: Visitor, database: str, planted: str) -> None:
    client.put_cookie("__Host-method", planted)

    assert "The last sign-in here" not in (await client.visit("/login")).text
