"""What an admin sets going, up to the mailbox and back: an invitation, a new password, a change that is required."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import user_rows
from tests.support.mailbox import emails_to, link_in
from tests.support.people import PASSWORD, Person, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
NEW = "a passphrase of their own"


@pytest.fixture
async def admin_area(client: Visitor) -> Visitor:
    await sign_in(client, await make_user(role="admin", name="Ada Admin"))
    return client


async def must_change(person: Person) -> bool:
    return bool(await db.fetch_value(sa.select(user_rows.c.must_change_password).where(user_rows.c.id == person.id)))


async def choose(visitor: Visitor, link: str) -> int:
    token = link.partition("token=")[2]
    return (await visitor.submit("/reset-password", {"token": token, "password": NEW})).status_code


async def test_invited_person_chooses_a_password_and_comes_in(
    admin_area: Visitor, make_client: Callable[..., Visitor]
) -> None:
    """v5.0.0-6.4.1"""
    theirs = make_client()
    nia = {"email": "nia@example.com", "name": "<b>Buy!</b>", "role": "user"}
    await admin_area.submit("/admin/users/new", nia | {"current_password": PASSWORD})
    (email_message,) = await emails_to("nia@example.com")

    assert await choose(theirs, link_in(email_message)) == 303
    signed_in = await theirs.submit("/login", {"email": "nia@example.com", "password": NEW})

    assert signed_in.headers["location"] == "/dashboard"
    assert "Buy" not in email_message.text + email_message.html
    assert await choose(theirs, link_in(email_message)) == 200  # says that it was already used, and does nothing


async def test_link_from_an_admin_replaces_the_password_and_ends_the_requirement(
    admin_area: Visitor, make_client: Callable[..., Visitor]
) -> None:
    person, theirs = await make_user(), make_client()
    await admin_area.submit(f"/admin/users/{person.id}/require-new-password")
    await admin_area.submit(f"/admin/users/{person.id}/send-link")
    (email_message,) = await emails_to(person.email)

    assert await choose(theirs, link_in(email_message)) == 303

    assert not await must_change(person)
    await theirs.submit("/login", {"email": person.email, "password": NEW})
    assert (await theirs.visit("/dashboard")).status_code == 200


async def test_required_change_ends_with_the_change(admin_area: Visitor, make_client: Callable[..., Visitor]) -> None:
    person, theirs = await make_user(), make_client()
    await admin_area.submit(f"/admin/users/{person.id}/require-new-password")
    await theirs.submit("/login", {"email": person.email, "password": person.password})
    led = await theirs.visit("/dashboard")
    page = await theirs.visit(led.headers["location"])

    done = await theirs.submit("/account/password", {"current_password": person.password, "new_password": NEW})

    assert "Choose a new password before you continue" in page.text
    assert done.headers["location"] == "/account?notice=password_changed"
    assert not await must_change(person)
    assert (await theirs.visit("/dashboard")).status_code == 200
    assert (await theirs.visit("/account")).status_code == 200


async def test_email_to_somebody_deactivated_meanwhile_is_not_written(admin_area: Visitor) -> None:
    person = await make_user()
    await admin_area.submit(f"/admin/users/{person.id}/send-link")
    await admin_area.submit(f"/admin/users/{person.id}/deactivate")

    assert await emails_to(person.email) == []


async def test_name_and_address_changed_by_their_owner_are_found_by_an_admin(
    admin_area: Visitor, make_client: Callable[..., Visitor]
) -> None:
    person, theirs = await make_user(name="Old Label"), make_client()
    await sign_in(theirs, person)

    await theirs.submit("/account", {"name": "Fresh Label"})

    assert person.email in (await admin_area.visit("/admin/users?q=fresh")).text.split("<main")[1]
    assert person.email not in (await admin_area.visit("/admin/users?q=old")).text.split("<main")[1]
