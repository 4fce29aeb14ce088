"""An address at a domain with an umlaut, in both spellings, at every door: pages and API. They are one address.

Source: RFC 5890 section 2.3.2.4; a browser's own e-mail field sends the second spelling.
"""

import json
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import link_rows, user_rows
from tests.support.mailbox import emails_to, link_in
from tests.support.people import PASSWORD, make_user, sign_in, start_session
from tests.support.sent import bearer
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

PEOPLE, WIRE = "uli@b\u00fccher.example", "uli@xn--bcher-kva.example"
SPELLINGS = pytest.mark.parametrize(
    "spelling", [PEOPLE, WIRE, "Uli@BU\u0308CHER\u3002example", "ULI@XN--BCHER-KVA.EXAMPLE"]
)
NEW = "a brand new passphrase"


async def token_to(address: str) -> str:
    return link_in((await emails_to(address))[-1]).partition("?token=")[2]


async def keys() -> list[tuple[str, str]]:
    return [tuple(row) for row in await db.fetch_all(sa.select(user_rows.c.email, user_rows.c.email_key))]


async def enters(client: Visitor, spelling: str, password: str = PASSWORD) -> bool:
    """By the form and by the API, which agree."""
    page = await client.submit("/login", {"email": spelling, "password": password})
    client.cookies.clear()
    program = await client.post("/api/auth/login", json={"email": spelling, "password": password})
    client.cookies.clear()
    assert {303: 200, 422: 401}[page.status_code] == program.status_code
    return page.status_code == 303


@SPELLINGS
async def test_registered_and_confirmed_in_one_spelling_signs_in_with_both(client: Visitor, spelling: str) -> None:
    await client.submit("/register", {"name": "Uli", "email": spelling, "password": PASSWORD})
    recipient = spelling.partition("@")[0] + "@b\u00fccher.example"
    await client.submit("/verify-email", {"token": await token_to(recipient)})

    assert await keys() == [(recipient, WIRE)]
    assert await enters(client, PEOPLE)
    assert await enters(client, WIRE)
    assert not await enters(client, "uli@bucher.example")


@SPELLINGS
async def test_second_account_in_the_other_spelling_is_refused(client: Visitor, spelling: str) -> None:
    await make_user(email=PEOPLE)

    await client.submit("/register", {"name": "Eve", "email": spelling, "password": PASSWORD})

    (email_message,) = await emails_to(PEOPLE)
    assert "already" in email_message.subject.lower()
    assert len(await keys()) == 1


@SPELLINGS
async def test_forgotten_password_is_reset_in_both_spellings(client: Visitor, spelling: str) -> None:
    await make_user(email=PEOPLE)

    await client.submit("/forgot-password", {"email": spelling})
    await client.submit("/reset-password", {"token": await token_to(PEOPLE), "password": NEW})

    assert await enters(client, PEOPLE, NEW)
    assert await enters(client, WIRE, NEW)


@SPELLINGS
async def test_confirmation_is_sent_again_in_both_spellings(client: Visitor, spelling: str) -> None:
    await client.submit("/register", {"name": "Uli", "email": PEOPLE, "password": PASSWORD})

    await client.submit("/verify-email/resend", {"email": spelling})

    assert len(await emails_to(PEOPLE)) == 2


async def test_emails_to_one_mailbox_are_counted_together(client: Visitor) -> None:
    for spelling in (PEOPLE, WIRE, PEOPLE, WIRE, PEOPLE):
        await client.submit("/register", {"name": "Uli", "email": spelling, "password": PASSWORD})

    assert len(await db.fetch_all(sa.select(link_rows.c.id))) == 3


async def test_failures_are_counted_together(client: Visitor) -> None:
    await make_user(email=PEOPLE)
    answers = [
        (await client.submit("/login", {"email": spelling, "password": "wrong"})).status_code
        for spelling in (PEOPLE, WIRE) * 6
    ]

    assert answers == [422] * 10 + [429] * 2


async def test_two_registrations_of_one_address_contest_it(client: Visitor) -> None:
    """Pre-hijacking: the owner of the mailbox must not confirm the password of an attacker."""
    for spelling in (WIRE, PEOPLE):
        await client.submit("/register", {"name": "Uli", "email": spelling, "password": PASSWORD})

    page = await client.visit(link_in((await emails_to(PEOPLE))[0]))

    assert 'type="password"' in page.text


@SPELLINGS
@pytest.mark.parametrize("by", ["page", "API"])
async def test_invited_person_signs_in_with_both_spellings(client: Visitor, spelling: str, by: str) -> None:
    admin = await make_user(role="admin")
    if by == "page":
        await sign_in(client, admin)
        uli = {"email": spelling, "name": "Uli", "role": "user", "current_password": PASSWORD}
        await client.submit("/admin/users/new", uli)
        client.cookies.clear()
    else:
        body = {"email": spelling, "name": "Uli", "role": "user"}
        await client.post("/api/admin/users", json=body, headers=bearer(await start_session(admin, program=True)))
    recipient = spelling.partition("@")[0] + "@b\u00fccher.example"
    await client.submit("/reset-password", {"token": await token_to(recipient), "password": NEW})

    assert await enters(client, PEOPLE, NEW)
    assert await enters(client, WIRE, NEW)


@SPELLINGS
async def test_taken_address_is_not_invited_again(client: Visitor, spelling: str) -> None:
    await make_user(email=PEOPLE)
    await sign_in(client, await make_user(role="admin"))

    eve = {"email": spelling, "name": "Eve", "role": "user", "current_password": PASSWORD}
    answer = await client.submit("/admin/users/new", eve)

    assert answer.status_code == 422
    assert 'id="email-error"' in answer.text


@SPELLINGS
async def test_new_address_counts_in_both_spellings(client: Visitor, spelling: str) -> None:
    person = await make_user()
    await sign_in(client, person)
    await client.submit("/account/email", {"email": spelling, "current_password": PASSWORD})
    recipient = spelling.partition("@")[0] + "@b\u00fccher.example"
    await client.submit("/verify-email", {"token": await token_to(recipient)})
    same = await client.submit("/account/email", {"email": WIRE, "current_password": PASSWORD})
    client.cookies.clear()

    assert "This is already your address." in same.text
    assert await enters(client, PEOPLE)
    assert await enters(client, WIRE)


@pytest.mark.parametrize("text", [PEOPLE, WIRE, "xn--bch", "B\u00dcCH", "uli", "BU\u0308CHER"])
async def test_admin_finds_and_exports_in_both_spellings(client: Visitor, text: str) -> None:
    person, admin = await make_user(email=PEOPLE), await make_user(role="admin", name="Ada")
    await sign_in(client, admin)
    headers = bearer(await start_session(admin))

    page = await client.visit("/admin/users?" + urlencode({"q": text}))
    file = await client.submit("/admin/users/export?" + urlencode({"q": text}))
    found = (await client.get("/api/admin/users", params={"q": text}, headers=headers)).json()

    assert PEOPLE in page.text
    assert str(person.id) in file.text
    assert str(admin.id) not in file.text
    assert [one["email"] for one in found["items"]] == [PEOPLE]


@SPELLINGS
async def test_audit_log_of_a_person_is_found_in_both_spellings(client: Visitor, spelling: str) -> None:
    person, admin = await make_user(email=PEOPLE), await make_user(role="admin")
    await enters(client, PEOPLE)
    headers = bearer(await start_session(admin))

    found = (await client.get("/api/admin/audit", params={"person": spelling}, headers=headers)).json()

    assert found["items"]
    assert {one["user_id"] for one in found["items"]} == {str(person.id)}


@SPELLINGS
async def test_copy_of_ones_data_names_the_address_as_people_write_it(client: Visitor, spelling: str) -> None:
    await make_user(email=PEOPLE)
    await client.submit("/login", {"email": spelling, "password": PASSWORD})

    copy = json.loads((await client.submit("/account/export")).text)
    me = (await client.call("GET", "/api/auth/me")).json()

    assert copy["profile"][0]["email"] == me["email"] == PEOPLE


@pytest.mark.parametrize("form", ["mi\u212ae@example.org", "\uff4dike@example.org", "m\u0131ke@example.org"])
async def test_text_that_only_looks_like_an_address_signs_nobody_in(client: Visitor, form: str) -> None:
    """CVE-2019-19844: registration refuses it, so login must not take it for the address that it folds to."""
    await make_user(email="mike@example.org")

    assert not await enters(client, form)
    assert (await client.submit("/register", {"name": "M", "email": form, "password": PASSWORD})).status_code == 422


async def test_password_made_of_the_domain_is_refused_in_both_spellings(client: Visitor) -> None:
    for spelling in (PEOPLE, WIRE):
        fields = {"name": "Uli", "email": spelling, "password": "b\u00fccherb\u00fccher1234"}
        answer = await client.submit("/register", fields)

        assert "mostly your name, your address" in answer.text
