"""Passkeys in a browser that has a device for them: Chromium's own virtual authenticator."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from app import db
from app.auth.models import user_rows
from app.mfa.models import passkey_rows
from e2e.conftest import PATIENCE
from e2e.support.people import let_an_hour_pass, put_cookie, sessions_of, sign_in
from tests.support.mailbox import arrived
from tests.support.people import PASSWORD, Person
from tests.support.phone import with_a_phone
from tests.support.server import Server


class Phone:
    """A phone that unlocks for its owner, or (`verifies=False`) for nobody."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.session.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }  # fmt: skip
        self.id = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def verifies(self, owner: bool) -> None:
        self.session.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": owner})

    def goes(self) -> None:
        self.session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.id})

    def kept(self) -> list[dict[str, Any]]:
        return list(self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"])

    def until(self, kept: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Wait until it holds of what the phone keeps: the browser tells it beside the page."""
        for _ in range(PATIENCE // 100):
            if kept(self.kept()):
                return
            self.page.wait_for_timeout(100)
        pytest.fail(f"the phone still keeps {self.kept()}")


# The person proves it with one device, and then has another one make a passkey.
TAKE_ANOTHER = """() => {
  const create = navigator.credentials.create.bind(navigator.credentials);
  navigator.credentials.create = async (options) => { await takeAnother(); return create(options); };
}"""


# The offer at the field of the address waits for its owner; the virtual device would answer at once.
NOBODY_PICKS = """{
  const get = navigator.credentials.get.bind(navigator.credentials);
  navigator.credentials.get = async (options) => {
    if (options.mediation !== "conditional") return get(options);
    document.documentElement.dataset.waiting = "";
    return new Promise((_, reject) => options.signal.addEventListener("abort", () => reject(options.signal.reason)));
  };
}"""


@pytest.fixture
def mine(new_context: Callable[..., BrowserContext], server: Server, person: Person) -> Page:
    context = new_context()
    sign_in(context, server, person)
    return context.new_page()


def add(page: Page, name: str = "", password: str = PASSWORD) -> None:
    page.goto("/account")
    page.get_by_role("link", name="Passkeys").click()
    if name:
        page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Add a passkey").click()


def test_added_and_used_to_sign_in_and_removed(mine: Page, server: Server, person: Person) -> None:
    phone = Phone(mine)
    add(mine, "My phone")
    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")
    expect(mine.get_by_role("heading", name="My phone")).to_be_visible()
    assert arrived(server, person.email, "A passkey was added")
    assert [(key["rpId"], key["userName"]) for key in phone.kept()] == [("localhost", person.email)]

    sign_in_by_button(mine, "/account/sessions")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Devices")

    mine.goto("/account/passkeys")
    expect(mine.get_by_text("last used")).to_be_visible()
    mine.get_by_role("link", name="Remove the passkey My phone").click()
    mine.get_by_role("button", name="Remove").click()
    expect(mine.get_by_role("status")).to_contain_text("The passkey is removed")
    phone.until(lambda kept: not kept)


def sign_in_by_button(page: Page, to: str = "/dashboard") -> None:
    """In a browser that offers no passkey at the field of the address."""
    can(page)
    page.context.clear_cookies()
    page.goto(f"/login?next={to}")
    page.get_by_role("link", name="Sign in with a passkey").click()
    page.get_by_role("button", name="Continue").click()


def can(page: Page, **capabilities: bool) -> None:
    """What pages that are opened from now on may make use of."""
    page.add_init_script(f"PublicKeyCredential.getClientCapabilities = async () => ({json.dumps(capabilities)})")


def test_click_asks_at_once_where_the_device_has_a_passkey(mine: Page) -> None:
    """Immediate mediation: no page in between."""
    added(mine)
    can(mine, immediateGet=True)
    mine.context.clear_cookies()
    mine.goto("/login?next=/account")
    visited: list[str] = []
    mine.on("framenavigated", lambda frame: visited.append(urlsplit(frame.url).path))

    mine.get_by_role("link", name="Sign in with a passkey").click()

    expect(mine.get_by_role("heading", level=1)).to_have_text("Your account")
    assert visited == ["/account"]


def test_click_leads_to_the_page_where_the_device_has_none(mine: Page) -> None:
    Phone(mine)
    can(mine, immediateGet=True)
    mine.context.clear_cookies()
    mine.goto("/login?next=/account")

    mine.get_by_role("link", name="Sign in with a passkey").click()

    expect(mine.get_by_role("heading", level=1)).to_have_text("Use a passkey")
    assert mine.url.endswith("/login/passkey?next=%2Faccount")


def test_click_takes_the_place_of_the_offer_at_the_field(mine: Page) -> None:
    """A question that waits makes every other fail until it is taken back."""
    added(mine)
    can(mine, conditionalGet=True, immediateGet=True)
    mine.add_init_script(NOBODY_PICKS)
    mine.context.clear_cookies()
    mine.goto("/login?next=/account")
    expect(mine.locator("html[data-waiting]")).to_be_attached()

    mine.get_by_role("link", name="Sign in with a passkey").click()

    expect(mine.get_by_role("heading", level=1)).to_have_text("Your account")


@pytest.mark.parametrize("algorithm", [-7, -8, -257, -49, -48, -50])
def test_each_algorithm_of_the_virtual_device_signs_in(mine: Page, algorithm: int) -> None:
    """ML-DSA too: the virtual authenticator of Chromium 156 has it, that of 150 had not."""
    Phone(mine)
    mine.add_init_script(f"""{{
      const create = navigator.credentials.create.bind(navigator.credentials);
      navigator.credentials.create = (options) => {{
        const {{ publicKey }} = options;
        publicKey.pubKeyCredParams = publicKey.pubKeyCredParams.filter((each) => each.alg === {algorithm});
        return create(options);
      }};
    }}""")
    add(mine)
    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")

    sign_in_by_button(mine, "/account/sessions")

    expect(mine.get_by_role("heading", level=1)).to_have_text("Devices")


def test_offered_at_the_field_of_the_address(mine: Page) -> None:
    """The person picks it there; the virtual device does so by itself."""
    Phone(mine)
    add(mine)
    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")
    mine.context.clear_cookies()

    mine.goto("/login?next=/account")

    expect(mine.get_by_role("heading", level=1)).to_have_text("Your account")


def test_phone_that_does_not_know_its_owner_signs_nobody_in(mine: Page, server: Server, person: Person) -> None:
    phone = Phone(mine)
    add(mine)
    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")
    phone.verifies(False)
    before = len(sessions_of(server, person))

    sign_in_by_button(mine)

    expect(mine.get_by_text("No passkey was used")).to_be_visible()
    assert len(sessions_of(server, person)) == before


def test_mistyped_password_leaves_no_passkey_that_only_the_phone_knows(mine: Page) -> None:
    """What the phone has made waits in the page for the right one."""
    phone = Phone(mine)
    add(mine, "My phone", "not the right passphrase")
    expect(mine.get_by_role("alert")).to_contain_text("The password is wrong.")
    (made,) = phone.kept()

    expect(mine.get_by_label("Name")).to_have_value("My phone")
    mine.get_by_label("Password", exact=True).fill(PASSWORD)
    mine.get_by_role("button", name="Add a passkey").click()

    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")
    assert [key["credentialId"] for key in phone.kept()] == [made["credentialId"]]
    sign_in_by_button(mine, "/account/sessions")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Devices")


def test_passkey_proves_who_it_is_where_a_second_one_is_added(mine: Page) -> None:
    first = Phone(mine)
    add(mine, "First")
    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")

    def take_another() -> None:
        first.goes()
        Phone(mine)

    mine.expose_function("takeAnother", take_another)
    mine.evaluate(TAKE_ANOTHER)

    mine.get_by_label("Name").fill("Second")
    mine.get_by_label("Use a passkey instead").check()
    expect(mine.get_by_label("Password", exact=True)).to_be_hidden()
    mine.get_by_role("button", name="Add a passkey").click()

    expect(mine.get_by_role("heading", name="Second")).to_be_visible()


def test_passkey_turns_the_second_step_off(mine: Page, server: Server, person: Person) -> None:
    Phone(mine)
    add(mine)
    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")
    pair = server.run(lambda: with_a_phone(person)).pair
    assert pair
    put_cookie(mine.context, "access", pair.access_token)

    mine.goto("/account/second-factor")
    mine.get_by_label("Use a passkey instead").check()
    mine.get_by_role("button", name="Turn off two-factor authentication").click()

    expect(mine.get_by_role("status")).to_have_text(
        "Two-factor authentication is off. Your password alone is enough to sign in."
    )


def test_same_phone_is_not_added_twice(mine: Page) -> None:
    Phone(mine)
    add(mine)
    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")

    mine.get_by_label("Password", exact=True).fill(PASSWORD)
    mine.get_by_role("button", name="Add a passkey").click()

    expect(mine.get_by_text("this device already has one for this account")).to_be_visible()


def test_passkey_instead_of_the_password_to_confirm(mine: Page) -> None:
    Phone(mine)
    add(mine)
    expect(mine.get_by_role("status")).to_contain_text("The passkey is added")
    let_an_hour_pass(mine.context)

    mine.goto("/account/delete")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Confirm your identity")
    mine.get_by_role("link", name="Use a passkey instead").click()
    mine.get_by_role("button", name="Continue").click()

    expect(mine.get_by_role("heading", level=1)).to_have_text("Delete your account?")


def test_without_scripts_there_is_no_button_that_does_nothing(
    new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    context = new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto("/login/passkey")
    expect(page.get_by_text("Use a browser that supports passkeys")).to_be_visible()
    expect(page.get_by_role("button", name="Continue")).not_to_be_visible()

    sign_in(context, server, person)
    page.goto("/account/passkeys")
    expect(page.get_by_text("To add a passkey, use a browser that supports them")).to_be_visible()
    expect(page.get_by_role("button", name="Add a passkey")).not_to_be_visible()


def added(page: Page) -> Phone:
    phone = Phone(page)
    add(page)
    expect(page.get_by_role("status")).to_contain_text("The passkey is added")
    return phone


def test_new_name_of_the_account_reaches_the_device(mine: Page) -> None:
    phone = added(mine)
    mine.goto("/account")
    mine.get_by_label("Name").fill("Ängström, renamed")

    mine.get_by_role("button", name="Save name").click()

    expect(mine.get_by_role("status")).to_be_visible()
    phone.until(lambda kept: [key["userDisplayName"] for key in kept] == ["Ängström, renamed"])


def test_new_address_of_the_account_reaches_the_device(mine: Page, server: Server, person: Person) -> None:
    """The page of the passkeys tells the device each time it is opened."""
    phone = added(mine)
    change(server, sa.update(user_rows).where(user_rows.c.id == person.id).values(email="new@example.com"))
    pair = sign_in(mine.context, server, person)
    assert pair

    mine.goto("/account/passkeys")

    phone.until(lambda kept: [key["userName"] for key in kept] == ["new@example.com"])


def test_passkey_that_no_account_has_is_dropped_at_the_sign_in(mine: Page, server: Server, person: Person) -> None:
    phone = added(mine)
    change(server, sa.delete(passkey_rows).where(passkey_rows.c.user_id == person.id))

    sign_in_by_button(mine)

    expect(mine.get_by_role("alert")).to_contain_text("no longer belongs to an account")
    phone.until(lambda kept: not kept)


@pytest.mark.parametrize("why", ["inactive", "counter", "recovered"])
def test_passkey_that_is_refused_stays_on_the_device(mine: Page, server: Server, person: Person, why: str) -> None:
    """It may be good again tomorrow: only a passkey that no account has is dropped."""
    phone = added(mine)
    users, keys = user_rows, passkey_rows
    refused = {
        "inactive": sa.update(users).where(users.c.id == person.id).values(is_active=False),
        "counter": sa.update(keys).where(keys.c.user_id == person.id).values(uses=1000),
        "recovered": sa.update(users).where(users.c.id == person.id).values(passkeys_since=db.now()),
    }
    change(server, refused[why])
    signalled = count_signals(mine)

    sign_in_by_button(mine)

    expect(mine.get_by_text("That passkey was not accepted")).to_be_visible()
    mine.wait_for_load_state("load")  # the first signal is sent before
    assert signalled == []
    assert len(phone.kept()) == 1


def test_passkey_that_waits_for_the_right_password_stays_on_the_device(mine: Page) -> None:
    phone = Phone(mine)
    signalled = count_signals(mine)
    add(mine, "My phone", "not the right passphrase")

    expect(mine.get_by_role("alert")).to_contain_text("The password is wrong.")
    mine.wait_for_load_state("load")  # the first signal is sent before

    assert signalled == ["signalAllAcceptedCredentials", "signalCurrentUserDetails"]  # of the page before
    assert len(phone.kept()) == 1


def count_signals(page: Page) -> list[str]:
    """The Signal methods that pages call from now on. They are called all the same."""
    called: list[str] = []
    page.expose_function("signalCalled", lambda name: called.append(name))
    page.add_init_script("""
      for (const name of ["signalUnknownCredential", "signalAllAcceptedCredentials", "signalCurrentUserDetails"]) {
        const real = PublicKeyCredential[name].bind(PublicKeyCredential);
        PublicKeyCredential[name] = (details) => { signalCalled(name); return real(details); };
      }""")
    return called


def change(server: Server, statement: Any) -> None:
    server.run(lambda: db.execute(statement))
