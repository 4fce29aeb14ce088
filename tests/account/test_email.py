"""/account/email and /undo-email-change, over HTTP, with the e-mails as their readers get them."""

import pytest
import sqlalchemy as sa

from app import db
from app.auth.accounts import email_change
from app.auth.models import link_rows, session_rows, user_rows
from tests.support.mailbox import delivered, emails_to, link_in
from tests.support.pages import without_keys
from tests.support.people import PASSWORD, Person, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


@pytest.fixture
async def person(client: Visitor) -> Person:
    person = await make_user()
    await sign_in(client, person)
    return person


async def address_of(person: Person) -> str:
    return str(await db.fetch_value(sa.select(user_rows.c.email).where(user_rows.c.id == person.id)))


async def undo_link(client: Visitor, person: Person) -> str:
    await client.submit("/account/email", {"email": "new@example.com", "current_password": PASSWORD})
    return link_in((await emails_to(person.email))[-1])


# v5.0.0-6.3.8
async def test_free_and_taken_address_get_the_same_answer(client: Visitor, person: Person) -> None:
    """v5.0.0-6.3.8"""
    taken, pages = (await make_user()).email, []

    for email in ("free@example.com", taken):
        answer = await client.submit("/account/email", {"email": email, "current_password": PASSWORD})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account?notice=email_change_requested")
        page = (await client.visit("/account?notice=email_change_requested")).text
        pages.append(without_keys(page).replace(email, "").split("<main")[1])

    assert pages[0] == pages[1]
    assert await address_of(person) == person.email


@pytest.mark.parametrize(
    ("email", "password", "at"),
    [
        ("", PASSWORD, "email"),
        ("not an address", PASSWORD, "email"),
        ("a@b@example.com", PASSWORD, "email"),
        ("a@example.com\r\nBcc: all@example.com", PASSWORD, "email"),
        ("x" * 65 + "@example.com", PASSWORD, "email"),
        ("new@example.com", "", "current_password"),
        ("new@example.com", "not the right passphrase", "current_password"),
    ],
)
async def test_refused_address_says_so_at_its_field(
    client: Visitor, person: Person, email: str, password: str, at: str
) -> None:
    """AC-023, AC-024"""
    answer = await client.submit("/account/email", {"email": email, "current_password": password})

    assert answer.status_code == 422
    assert f'id="{at}-error"' in answer.text
    assert answer.text.count("aria-invalid") == 1
    assert await db.fetch_all(sa.select(link_rows)) == []
    assert await delivered() == []


async def test_typed_address_comes_back_and_the_password_does_not(client: Visitor, person: Person) -> None:
    fields = {"email": "new@example.com", "current_password": "not the right passphrase"}

    page = (await client.submit("/account/email", fields)).text

    assert 'value="new@example.com"' in page
    assert "not the right passphrase" not in page


async def confirm_link(client: Visitor, person: Person) -> str:
    await client.submit("/account/email", {"email": "new@example.com", "current_password": PASSWORD})
    return link_in((await emails_to("new@example.com"))[-1])


async def test_link_in_the_new_mailbox_shows_a_button_and_the_button_changes_the_address(
    client: Visitor, person: Person
) -> None:
    link = await confirm_link(client, person)

    page = await client.visit(link, site="cross-site")
    assert page.status_code == 200
    assert "new@example.com" in page.text
    assert await address_of(person) == person.email
    answer = await client.submit("/verify-email", {"token": link.partition("?token=")[2]})

    assert (answer.status_code, answer.headers["location"]) == (303, "/account?notice=email_changed")
    assert await address_of(person) == "new@example.com"
    assert "new@example.com" in (await client.visit("/dashboard")).text


@pytest.mark.parametrize("who", ["nobody", "somebody else"])
async def test_confirmed_elsewhere_the_owner_signs_in_again(
    client: Visitor, person: Person, make_client: type[Visitor], who: str
) -> None:
    link, elsewhere = await confirm_link(client, person), make_client()
    if who == "somebody else":
        await sign_in(elsewhere, await make_user())

    answer = await elsewhere.submit("/verify-email", {"token": link.partition("?token=")[2]})

    assert answer.headers["location"] == "/login?notice=email_changed"
    assert await address_of(person) == "new@example.com"
    assert (await client.visit("/dashboard")).headers["location"].startswith("/login")
    assert ((await elsewhere.visit("/dashboard")).status_code == 200) is (who == "somebody else")


async def test_forgotten_password_is_mailed_to_the_old_address_until_the_new_one_is_confirmed(
    client: Visitor, person: Person
) -> None:
    """AC-040"""
    await client.submit("/account/email", {"email": "new@example.com", "current_password": PASSWORD})
    await client.submit("/forgot-password", {"email": "new@example.com"})
    await client.submit("/forgot-password", {"email": person.email})

    told = [(message.recipient, message.subject) for message in await delivered()]

    assert ("new@example.com", "Choose a new password") not in told
    assert (person.email, "Choose a new password") in told
    assert (person.email, "Change of your e-mail address requested") in told


async def test_password_chosen_by_mail_calls_a_pending_address_off(client: Visitor, person: Person) -> None:
    """The user who requested the new address knew the old password."""
    link = await confirm_link(client, person)
    await client.submit("/forgot-password", {"email": person.email})
    token = link_in((await emails_to(person.email))[-1]).partition("?token=")[2]
    await client.submit("/reset-password", {"token": token, "password": "wrong zebra paperclip sonata"})

    answer = await client.submit("/verify-email", {"token": link.partition("?token=")[2]})

    assert answer.status_code == 422
    assert await address_of(person) == person.email


async def test_following_the_undo_link_changes_nothing_until_the_button(client: Visitor, person: Person) -> None:
    """Mail scanners follow links."""
    link = await undo_link(client, person)

    for _ in range(2):
        page = await client.visit(link, site="cross-site")
        assert page.status_code == 200
        assert "Cancel the change" in page.text
    assert await email_change.pending_email(person.id, db.utcnow()) == "new@example.com"


async def test_undo_calls_off_signs_out_and_leads_to_a_new_password(client: Visitor, person: Person) -> None:
    link = await undo_link(client, person)

    answer = await client.submit("/undo-email-change", {"token": link.partition("?token=")[2]})

    assert answer.status_code == 200
    assert "The change is cancelled" in answer.text
    assert 'href="/forgot-password"' in answer.text
    assert "Account menu" not in answer.text
    assert await email_change.pending_email(person.id, db.utcnow()) is None
    assert await db.fetch_value(sa.select(session_rows.c.revoked_at)) is not None
    assert (await client.visit("/dashboard")).headers["location"].startswith("/login")


async def test_undo_works_while_another_user_is_signed_in(
    client: Visitor, person: Person, make_client: type[Visitor]
) -> None:
    link = await undo_link(client, person)
    other = make_client()
    await sign_in(other, await make_user())

    answer = await other.submit("/undo-email-change", {"token": link.partition("?token=")[2]})

    assert answer.status_code == 200
    assert (await other.visit("/dashboard")).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "a.b", "null", "[]", "A" * 5000, "\u00e9"])
async def test_token_that_is_no_good_is_told_alike(client: Visitor, token: str) -> None:
    """AC-050"""
    shown = await client.visit("/undo-email-change", params={"token": token})
    sent = await client.submit("/undo-email-change", {"token": token})

    for answer in (shown, sent):
        assert answer.status_code == 422
        assert "This link is not valid" in answer.text
        if len(token) > 2:
            assert token not in answer.text


async def test_used_token_says_that_it_has_done_its_work(client: Visitor, person: Person) -> None:
    """AC-039"""
    token = (await undo_link(client, person)).partition("?token=")[2]
    await client.submit("/undo-email-change", {"token": token})

    for answer in (
        await client.visit("/undo-email-change", params={"token": token}),
        await client.submit("/undo-email-change", {"token": token}),
    ):
        assert answer.status_code == 200
        assert "This link was already used" in answer.text
        assert person.email not in answer.text.split("<main")[1]
