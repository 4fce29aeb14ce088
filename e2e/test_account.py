"""A person and their account: password, devices, a copy of the data, the end and the way back."""

import json
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.support.header import account_menu, choose
from e2e.support.people import let_an_hour_pass, sessions_of, sign_in
from tests.support import server as servers
from tests.support.mailbox import arrived, link_in
from tests.support.people import Person, make_user
from tests.support.server import Server

NEW = "wrong zebra paperclip sonata"
PATIENCE_SECONDS = 30


@pytest.fixture
def mine(page: Page, server: Server, person: Person) -> Page:
    """The person's browser, signed in just now."""
    sign_in(page.context, server, person)
    return page


@pytest.fixture
def other(new_context: Callable[..., BrowserContext], server: Server, person: Person) -> Page:
    """A second browser of the person, with the dashboard open."""
    context = new_context()
    sign_in(context, server, person)
    page = context.new_page()
    page.goto("/dashboard")
    expect(account_menu(page)).to_be_visible()
    return page


def change_password(page: Page, person: Person, new: str = NEW) -> None:
    page.get_by_label("Current password", exact=True).fill(person.password)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_role("button", name="Change password").click()


def enter(page: Page, person: Person, password: str = "") -> None:
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(password or person.password)
    page.get_by_role("button", name="Sign in").click()


def test_name_in_the_header_leads_to_the_account_and_changes_there(mine: Page, person: Person) -> None:
    mine.goto("/dashboard")
    choose(mine, "Your account")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Your account")

    mine.get_by_label("Name").fill("Zoë Zuse")
    mine.get_by_role("button", name="Save name").click()

    expect(mine.get_by_role("status")).to_have_text("Your name is changed.")
    expect(account_menu(mine)).to_contain_text("Zoë Zuse")


@pytest.mark.parametrize("width", [390, 1280])
def test_parts_of_the_account_page_do_not_touch(mine: Page, width: int) -> None:
    mine.set_viewport_size({"width": width, "height": 900})
    mine.goto("/account")

    boxes = [mine.locator(part).bounding_box() for part in ("form.card", ".account-facts", ".account-links")]
    shown = [box for box in boxes if box]  # the links stand beside them on a wide screen
    assert len(shown) == (3 if width == 390 else 2)
    assert all(upper["y"] + upper["height"] + 16 <= lower["y"] for upper, lower in pairwise(shown))


def test_new_password_goes_on_here_and_puts_the_other_browser_out(
    mine: Page, other: Page, server: Server, person: Person
) -> None:
    mine.goto("/account")
    mine.get_by_role("link", name="Password", exact=True).click()
    change_password(mine, person)
    expect(mine.get_by_role("status")).to_contain_text("Your password is changed.")

    choose(other, "Your account")

    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    choose(mine, "Your account")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Your account")
    enter(other, person)
    expect(other.get_by_role("alert")).to_be_visible()
    enter(other, person, NEW)
    expect(other.get_by_role("heading", level=1)).to_have_text("Your account")
    assert [row.revoked_for for row in sessions_of(server, person)] == ["replaced", "credentials_changed", None, None]
    assert arrived(server, person.email, "Your password was changed")


def test_other_browser_is_soon_out_whichever_worker_answers(
    new_context: Callable[..., BrowserContext],
) -> None:
    with servers.running(workers=2) as server:
        person = server.run(make_user)
        mine, other = new_context(), new_context()
        for context in (mine, other):
            sign_in(context, server, person)
        page = mine.new_page()
        page.goto(f"{server.url}/account/password")
        change_password(page, person)
        expect(page.get_by_role("status")).to_contain_text("Your password is changed.")

        deadline, refused = time.monotonic() + PATIENCE_SECONDS, 0
        while refused < 20:  # in a row, over both workers: each call is a connection of its own
            assert time.monotonic() < deadline
            answer = other.request.get(f"{server.url}/api/auth/me", headers={"Connection": "close"})
            refused = refused + 1 if answer.status == 401 else 0
        assert mine.request.get(f"{server.url}/api/auth/me").status == 200


def test_wrong_and_weak_password_are_told_at_their_fields(mine: Page, person: Person) -> None:
    mine.goto("/account/password")
    mine.get_by_label("Current password", exact=True).fill("not the right passphrase")
    mine.get_by_label("New password", exact=True).fill("short")
    mine.get_by_role("button", name="Change password").click()

    expect(mine.get_by_role("alert")).to_be_focused()
    expect(mine.get_by_label("Current password", exact=True)).to_have_accessible_description(
        re.compile("The password is wrong")
    )
    expect(mine.get_by_label("New password", exact=True)).to_have_accessible_description(
        re.compile("Use at least 15 characters")
    )
    mine.get_by_role("link", name="New password: ").click()
    expect(mine.get_by_label("New password", exact=True)).to_be_focused()


def test_password_manager_finds_whose_password_it_is(mine: Page, person: Person) -> None:
    """AC-190: the address stands in the form, though nobody sees it and it is never sent."""
    mine.goto("/account/password")

    fields = mine.locator("form[action='/account/password'] input:not([type=hidden])")

    assert [field.get_attribute("autocomplete") for field in fields.all()] == [
        "username", "current-password", "new-password",
    ]  # fmt: skip
    expect(fields.first).to_have_value(person.email)
    assert fields.first.get_attribute("name") is None


def test_other_device_is_signed_out_while_somebody_sits_at_it(
    mine: Page, other: Page, server: Server, person: Person
) -> None:
    mine.goto("/dashboard")
    mine.get_by_role("link", name="Manage devices").click()
    expect(mine.get_by_role("heading", level=1)).to_have_text("Devices")
    expect(mine.get_by_text("this device", exact=True)).to_have_count(1)

    mine.get_by_role("link", name="Sign out this device").click()
    mine.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(mine.get_by_role("status")).to_have_text("That device is signed out.")
    choose(other, "Your account")

    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    mine.get_by_text("Signed out in the last 30 days").click()
    expect(mine.get_by_text("Signed out from another device")).to_be_visible()


def test_all_other_devices_are_signed_out_at_once(mine: Page, other: Page) -> None:
    mine.goto("/account/sessions")
    mine.get_by_role("link", name="Sign out all others").click()
    mine.get_by_role("button", name="Sign out all others").click()

    expect(mine.get_by_role("status")).to_have_text("Every other device is signed out.")
    expect(mine.get_by_role("link", name="Sign out all others")).to_have_count(0)
    choose(other, "Your account")
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_signing_out_the_device_in_front_of_one_is_signing_out(mine: Page, other: Page) -> None:
    """And asks for no password, however long ago it was typed."""
    let_an_hour_pass(mine.context)
    mine.goto("/account/sessions")
    mine.get_by_role("main").get_by_role("button", name="Sign out").click()

    expect(mine.get_by_role("status")).to_have_text("You are signed out.")
    assert mine.context.cookies() == []


def test_password_typed_long_ago_is_asked_for_and_leads_back(mine: Page, other: Page, person: Person) -> None:
    let_an_hour_pass(mine.context)
    mine.goto("/account/sessions")
    mine.get_by_role("link", name="Sign out all others").click()
    expect(mine.get_by_role("heading", level=1)).to_have_text("Confirm your identity")

    mine.get_by_label("Password", exact=True).fill(person.password)
    mine.get_by_role("button", name="Continue").click()

    expect(mine.get_by_role("heading", level=1)).to_have_text("Sign out all other devices?")


def test_copy_of_the_data_is_a_file_that_opens(mine: Page, person: Person, tmp_path: Path) -> None:
    mine.goto("/account")
    mine.get_by_role("link", name="Export your data").click()
    with mine.expect_download() as started:
        mine.get_by_role("button", name="Download").click()

    started.value.save_as(tmp_path / "copy.json")

    assert re.fullmatch(r"lanyard-\d{4}-\d\d-\d\d\.json", started.value.suggested_filename)
    found = json.loads((tmp_path / "copy.json").read_text())
    assert found["profile"][0]["email"] == person.email
    mine.goto("/account/activity")
    expect(mine.get_by_role("main").get_by_role("listitem").first).to_contain_text("Data exported")


def test_account_that_was_given_up_is_kept_by_signing_in(
    mine: Page, other: Page, server: Server, person: Person
) -> None:
    mine.goto("/account")
    mine.get_by_role("link", name="Delete account").click()
    expect(mine.get_by_role("heading", level=2, name="What is kept, and why")).to_be_visible()
    mine.get_by_role("button", name="Delete my account").click()

    expect(mine.get_by_role("status")).to_contain_text("Sign in before then to keep it")
    assert mine.context.cookies() == []
    choose(other, "Your account")
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    email_message = arrived(server, person.email, "Your account will be deleted")
    assert link_in(email_message, server.url) == "/login"
    enter(mine, person)
    expect(mine.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")
    expect(mine.get_by_role("status")).to_have_text("Welcome back. Your account will not be deleted.")
    assert arrived(server, person.email, "Your account will not be deleted")


def test_address_is_changed_from_the_new_mailbox_and_put_back_from_the_old_one(
    mine: Page, other: Page, new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    new = f"new-{person.email}"
    mine.goto("/account")
    mine.get_by_role("link", name="E-mail address").click()
    mine.get_by_label("New e-mail address").fill(new)
    mine.get_by_label("Password", exact=True).fill(person.password)
    mine.get_by_role("button", name="Send the link").click()
    expect(mine.get_by_role("main")).to_contain_text(f"The change to {new} is not confirmed yet")

    mine.goto(link_in(arrived(server, new, "Confirm your new address"), server.url))
    expect(mine.get_by_role("main")).to_contain_text(new)
    mine.get_by_role("button", name="Confirm this address").click()

    expect(mine.get_by_role("status")).to_contain_text("Your new address is confirmed")
    expect(mine.get_by_role("main")).to_contain_text(new)
    choose(other, "Your account")
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")

    arrived(server, person.email, "Change of your e-mail address requested")
    old_mailbox = new_context().new_page()
    old_mailbox.goto(
        link_in(arrived(server, person.email, "The e-mail address of your account was changed"), server.url)
    )
    old_mailbox.get_by_role("button", name="Cancel the change").click()

    expect(old_mailbox.get_by_role("heading", level=1)).to_have_text("The change is cancelled")
    choose(mine, "Your account")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Sign in")
    enter(mine, person)
    expect(mine.get_by_role("alert")).to_contain_text("is wrong")
    old_mailbox.get_by_role("link", name="Choose a new password").click()
    expect(old_mailbox.get_by_role("heading", level=1)).to_contain_text("password")


def test_attacker_who_asks_for_another_address_is_called_off_before_it_counts(
    mine: Page, new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    new = f"attacker-{person.email}"
    mine.goto("/account/email")
    mine.get_by_label("New e-mail address").fill(new)
    mine.get_by_label("Password", exact=True).fill(person.password)
    mine.get_by_role("button", name="Send the link").click()
    expect(mine.get_by_role("main")).to_contain_text(f"The change to {new} is not confirmed yet")
    confirm = link_in(arrived(server, new, "Confirm your new address"), server.url)

    owner = new_context().new_page()
    owner.goto(link_in(arrived(server, person.email, "Change of your e-mail address requested"), server.url))
    owner.get_by_role("button", name="Cancel the change").click()
    expect(owner.get_by_role("heading", level=1)).to_have_text("The change is cancelled")

    mine.goto(confirm)
    expect(mine.get_by_role("heading", level=1)).to_have_text("This link is not valid")
    mine.goto("/dashboard")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Sign in")
