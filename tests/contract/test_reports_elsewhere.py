"""What people reported to projects like this one, tried here."""

import asyncio
import re
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth.accounts import email_change, logout_flow, password_reset, signup
from app.auth.models import counter_rows, link_rows, session_rows, user_rows
from app.email.models import email_rows
from tests.contract.places import Place
from tests.support.account_state import sid_of
from tests.support.clock import Clock
from tests.support.mailbox import emails_to, link_in
from tests.support.people import PASSWORD, make_user, sign_in, start_session
from tests.support.phone import with_a_phone
from tests.support.visitor import NAVIGATION, Visitor

pytestmark = pytest.mark.anyio
NEW = "wrong zebra paperclip sonata"


async def test_recovery_code_sent_thirty_times_at_once_signs_in_once(at: Any, clock: Clock) -> None:
    """keycloak/keycloak#26106, appwrite/appwrite#11692: one code signed in many times."""
    person = await make_user()
    code = (await with_a_phone(person)).recovery_codes[0]
    before = len(await db.fetch_all(sa.select(session_rows)))
    tickets = []
    for number in range(8):
        (answer,) = await at(f"203.0.113.{number}").tries(person.email, PASSWORD)
        tickets.append(answer.json()["ticket"])

    program = at("203.0.113.99")
    answers = await asyncio.gather(
        *(program.post("/api/auth/login/code", json={"ticket": tickets[n % 8], "code": code}) for n in range(32))
    )

    assert Counter(answer.status_code for answer in answers)[200] == 1
    assert len(await db.fetch_all(sa.select(session_rows))) == before + 1


async def test_address_typed_in_capitals_and_not_is_one_account_at_every_sign_in(client: Visitor) -> None:
    """pennersr/django-allauth#3459: the second sign-in with the other spelling was a 500."""
    await client.submit("/register", {"name": "Junk", "email": "Junk@Example.com", "password": PASSWORD})
    (message,) = await emails_to("Junk@example.com")
    await client.submit("/verify-email", {"token": link_in(message).partition("?token=")[2]})

    for spelling in ("junk@example.com", "Junk@Example.com", "junk@example.com", "JUNK@EXAMPLE.COM"):
        assert (await client.submit("/login", {"email": spelling, "password": PASSWORD})).status_code == 303
        assert (await client.submit("/logout")).status_code == 303

    assert len(await db.fetch_all(sa.select(user_rows))) == 1


async def test_link_is_confirmed_in_a_browser_whose_session_ends_meanwhile(client: Visitor) -> None:
    """pennersr/django-allauth#3452: the confirmation was a 500."""
    person = await make_user()
    await sign_in(client, person)
    await signup.request("new@example.com", "New", PASSWORD)
    token = link_in((await emails_to("new@example.com"))[0]).partition("?token=")[2]
    await logout_flow.end_other_sessions(person.id, db.uuid7())

    answer = await client.submit("/verify-email", {"token": token})

    assert answer.status_code == 303
    assert await db.fetch_one(sa.select(user_rows).where(user_rows.c.email_key == "new@example.com"))


@pytest.mark.parametrize("method", ["HEAD", "GET", "OPTIONS"])
async def test_link_that_a_scanner_has_opened_is_still_good(client: Visitor, make_client: Any, method: str) -> None:
    """authelia/authelia#2994, rubygems/rubygems.org#4558: "Safe Links" had used it up."""
    person, scanner = await make_user(), make_client()
    await password_reset.request(person.email)
    path = link_in((await emails_to(person.email))[0])
    for _ in range(3):
        await scanner.request(method, path, headers=NAVIGATION)

    token = path.partition("?token=")[2]
    assert (await client.submit("/reset-password", {"token": token, "password": NEW})).status_code == 303

    assert (await client.submit("/login", {"email": person.email, "password": NEW})).status_code == 303


async def test_form_of_a_browser_that_lost_its_cookies_or_went_back_signs_in(client: Visitor) -> None:
    """ory/kratos#821, django/django#6391: a stale token of the form was an error page that stayed."""
    person = await make_user()
    form = await client.visit("/login")
    key = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.text))
    client.cookies.clear()
    for _ in range(2):
        fields = key | {"email": person.email, "password": PASSWORD}
        answer = await client.submit("/login", fields)
        assert answer.status_code == 303, answer.text
        assert (await client.visit("/dashboard")).status_code == 200


async def test_requests_for_links_do_not_fill_the_tables(at: Any, clock: Clock) -> None:
    """phoenixframework/phoenix#6466: each request for a link was a row, without end."""
    person = await make_user()
    for number in range(60):
        await at(f"198.51.100.{number}").submit("/forgot-password", {"email": person.email})

    await emails_to(person.email)

    assert len(await db.fetch_all(sa.select(email_rows))) == 5
    assert len(await db.fetch_all(sa.select(link_rows))) <= 5
    assert len(await db.fetch_all(sa.select(counter_rows))) <= 61


async def test_headers_of_a_sign_in_fit_the_buffer_that_nginx_has_by_default(client: Visitor) -> None:
    """nextauthjs/next-auth#8788: "upstream sent too big header", a 502 for each sign-in."""
    person = await make_user(email="j" * 60 + "@" + "d" * 60 + ".example.com", name="N" * 80)

    answer = await client.submit("/login", {"email": person.email, "password": PASSWORD, "next": "/dashboard"})
    page = await client.visit("/dashboard")

    for each in (answer, page):
        head = b"".join(name + b": " + value + b"\r\n" for name, value in each.headers.raw)
        assert len(head) < 4096 - len("HTTP/1.1 503 Service Unavailable\r\n\r\n")


async def test_no_answer_sets_the_same_cookie_twice(client: Visitor, clock: Clock) -> None:
    """nextauthjs/next-auth#11370: two values of one cookie in one answer."""
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(seconds=30)
    answers = [
        await client.submit("/login", {"email": person.email, "password": PASSWORD}),
        await client.submit("/login/code", {"code": phone.shows(clock.now)}),
        await client.submit("/step-up", {"password": PASSWORD}),
        await client.submit("/account/password", {"current_password": PASSWORD, "new_password": NEW}),
        await client.submit("/login", {"email": person.email, "password": NEW}),
        await client.submit("/logout"),
    ]
    clock.forward(minutes=16)

    for answer in answers:
        names = [line.partition("=")[0] for line in answer.headers.get_list("set-cookie")]
        assert sorted(set(names)) == sorted(names), answer.url
    assert any(answer.headers.get_list("set-cookie") for answer in answers)


@pytest.mark.parametrize(
    "typed", [" joan@example.com", "joan@example.com ", "\tjoan@example.com\t", "joan@example.com\u00a0"]
)
async def test_space_around_an_address_does_not_count(client: Visitor, at: Any, typed: str) -> None:
    """keycloak/keycloak#17482: the keyboard of a phone adds one, and the address was invalid."""
    answer = await client.submit("/register", {"name": "Joan", "email": typed, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    (message,) = await emails_to("joan@example.com")
    await client.submit("/verify-email", {"token": link_in(message).partition("?token=")[2]})

    assert (await client.submit("/login", {"email": typed, "password": PASSWORD})).status_code == 303
    program: Place = at("203.0.113.7")
    assert (await program.tries(typed, PASSWORD))[0].status_code == 200
    await client.submit("/forgot-password", {"email": typed})
    assert len(await emails_to("joan@example.com")) >= 2


async def test_reset_page_does_not_carry_its_token_to_the_login_page(client: Visitor) -> None:
    """calzoneman/sync#871: signing in from the page of a used link led back to it, and to its error."""
    person = await make_user()
    await password_reset.request(person.email)
    path = link_in((await emails_to(person.email))[0])
    token = path.partition("?token=")[2]

    pages = [await client.visit(path)]
    await client.submit("/reset-password", {"token": token, "password": NEW})
    pages.append(await client.visit(path))

    for page in pages:
        assert not [
            link for link in re.findall(r'href="([^"]*)"', page.text) if token in link or "reset-password" in link
        ]


@pytest.mark.parametrize(
    "target",
    [
        "/\\evil.example",
        "/%09/evil.example",
        "/\t/evil.example",
        "//evil.example",
        "\\/evil.example",
        "/%5Cevil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/.//evil.example",
        "/dashboard/..//evil.example",
        "http:\\\\evil.example",
    ],
)
async def test_sign_in_leads_to_no_other_site(client: Visitor, target: str) -> None:
    """auth0/nextjs-auth0#555, FlintUA/MeshCenter#130: a tab or a backslash made it another host."""
    person = await make_user()

    answer = await client.submit("/login", {"email": person.email, "password": PASSWORD, "next": target})

    where = answer.headers["location"]
    cleaned = re.sub(r"[\t\r\n]", "", where).replace("\\", "/")
    assert cleaned.startswith("/")
    assert not cleaned.startswith("//"), where


async def test_code_of_an_authenticator_is_good_once_whatever_it_is_for(client: Visitor, at: Any, clock: Clock) -> None:
    """nextcloud/twofactor_totp#245, neiliro/neiliro#55: the same code signed in a second time."""
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(seconds=30)
    code = phone.shows(clock.now)
    statuses = []
    for number in range(3):
        place = at(f"203.0.113.{number}")
        (answer,) = await place.tries(person.email, PASSWORD)
        body = {"ticket": answer.json()["ticket"], "code": code}
        statuses.append((await place.post("/api/auth/login/code", json=body)).status_code)

    assert statuses == [200, 401, 401]


async def test_form_that_arrives_after_its_session_ended_is_said_to_be_unsaved(client: Visitor) -> None:
    """authelia/authelia#2538, mozilla/experimenter#881: it was lost at the login page without a word, or a 500.

    It is not kept here either: the next one to sign in may be another person.
    """
    person = await make_user()
    await sign_in(client, person)
    await logout_flow.end_other_sessions(person.id, db.uuid7())

    answer = await client.submit("/account", {"name": "A name that took long"})
    page = await client.visit(answer.headers["location"])

    assert answer.status_code == 303
    assert "was not saved" in page.text


async def test_reset_of_one_account_leaves_the_confirmation_of_another_address_good(client: Visitor) -> None:
    """phoenixframework/phoenix#5724: a password reset made the confirmation that waited invalid."""
    person = await make_user()
    await signup.request("second@example.com", "Second", PASSWORD)
    await password_reset.request(person.email)
    reset = link_in((await emails_to(person.email))[0]).partition("?token=")[2]
    await client.submit("/reset-password", {"token": reset, "password": NEW})
    token = link_in((await emails_to("second@example.com"))[0]).partition("?token=")[2]

    assert (await client.submit("/verify-email", {"token": token})).status_code == 303
    assert await start_session(person)


async def test_link_for_one_account_opened_in_the_browser_of_another_leads_to_its_sign_in(client: Visitor) -> None:
    """GovReady/govready-q#3, mattermost/mattermost#11903: the invited person went on in somebody else's account."""
    anna, bob = await make_user(name="Anna"), await make_user(name="Bob")
    await sign_in(client, anna)
    await password_reset.request(bob.email)
    token = link_in((await emails_to(bob.email))[0]).partition("?token=")[2]

    answer = await client.submit("/reset-password", {"token": token, "password": NEW})
    page = await client.visit(answer.headers["location"])

    assert page.status_code == 200
    assert "Your new password is set." in page.text
    assert "signed in as <bdi>Anna</bdi>" in page.text
    assert (await client.submit("/login", {"email": bob.email, "password": NEW})).status_code == 303
    assert "Bob" in (await client.visit("/account")).text
    assert [row.user_id for row in await live_sessions()] == [bob.id]


@pytest.mark.parametrize("kind", ["sign-up", "new address"])
async def test_address_confirmed_in_the_browser_of_another_account_leads_to_its_sign_in(
    client: Visitor, kind: str
) -> None:
    anna = await make_user(name="Anna")
    await sign_in(client, anna)
    if kind == "sign-up":
        await signup.request("new@example.com", "New", PASSWORD)
    else:
        bob = await make_user()
        sid = sid_of(await start_session(bob))
        assert await email_change.request_email_change(bob.id, sid, "new@example.com", PASSWORD) == {}
    token = link_in((await emails_to("new@example.com"))[0]).partition("?token=")[2]

    answer = await client.submit("/verify-email", {"token": token})
    page = await client.visit(answer.headers["location"])

    assert page.status_code == 200
    assert "is confirmed" in page.text
    again = await client.visit(answer.headers["location"])
    assert (again.status_code, again.headers["location"]) == (303, "/dashboard")


async def test_login_page_of_somebody_signed_in_leads_on_without_such_a_link(client: Visitor) -> None:
    """The address alone is no reason: anybody can pass it on."""
    await sign_in(client, await make_user())

    answer = await client.visit("/login?notice=password_reset")

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")


async def live_sessions() -> list[Any]:
    return await db.fetch_all(sa.select(session_rows).where(session_rows.c.revoked_at.is_(None)))
