"""Sign-up and password reset in a browser: from the form through a real mailbox to the dashboard."""

import re
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from app import db
from app.auth import cookies
from app.auth.models import user_rows
from app.email.models import email_rows
from e2e.support.people import sign_in
from e2e.support.traffic import Traffic
from tests.support import mailbox, sink
from tests.support.people import PASSWORD, Person
from tests.support.server import Server, running

NEW = "a brand new passphrase"


@pytest.fixture
def email() -> str:
    """An address that nobody has yet."""
    return f"joan-{db.uuid7()}@example.com"


def fill_in(page: Page, email: str, password: str = PASSWORD, name: str = "Joan Example") -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def link_to(server: Server, email: str, subject: str) -> str:
    return mailbox.link_in(mailbox.arrived(server, email, subject), server.url)


def forgets(page: Page, server: Server, email: str) -> str:
    """The path of the link that the person is mailed."""
    page.goto("/login")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")
    return link_to(server, email, "Choose a new password")


@pytest.fixture(params=["with scripts", "without scripts"])
def anyone(request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext]) -> Page:
    return new_context(java_script_enabled=request.param == "with scripts").new_page()


def test_from_the_front_page_to_the_dashboard_through_the_development_mailbox(
    anyone: Page, server: Server, email: str
) -> None:
    page = anyone
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    fill_in(page, email)
    mailbox.arrived(server, email)

    page.get_by_role("main").get_by_role("link", name="mailbox").click()
    page.get_by_role("row").filter(has_text=email).get_by_role("link", name="Confirm your address").click()
    page.get_by_role("main").get_by_role("link", name="/verify-email?token=").click()
    expect(page.get_by_role("main")).to_contain_text(email)
    page.get_by_role("button", name="Confirm this address").click()

    expect(page.get_by_role("status")).to_contain_text("Your address is confirmed")
    assert page.context.cookies() == []
    log_in(page, email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Joan Example")


@pytest.fixture
def mailing() -> Iterator[tuple[Server, sink.Sink]]:
    """A server that really sends, and the mail server that it sends to."""
    with sink.listening() as smtp, running(MAIL_URL=smtp.url) as server:
        yield server, smtp


def test_link_arrives_through_a_mail_server(page: Page, mailing: tuple[Server, sink.Sink], email: str) -> None:
    server, smtp = mailing
    page.goto(f"{server.url}/register")
    fill_in(page, email)
    mailbox.arrived(server, email)

    (mail,) = smtp.received
    assert mail.recipients == [email]
    (url,) = re.findall(r"^http\S+token=\S+$", mail.part("plain"), re.MULTILINE)
    assert url.startswith(f"{server.url}/verify-email?token=")
    assert f'href="{url}"' in mail.part("html")
    page.goto(url)
    page.get_by_role("button", name="Confirm this address").click()
    log_in(page, email)

    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Joan Example")


def test_taken_address_looks_the_same_and_its_owner_gets_word(page: Page, server: Server, person: Person) -> None:
    page.goto("/register")
    fill_in(page, person.email, "a passphrase of somebody else")

    email_message = mailbox.arrived(server, person.email, "You already have an account")

    assert "token" not in email_message.text
    page.goto("/login")
    log_in(page, person.email)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")


def test_unconfirmed_person_is_offered_the_mail_again(page: Page, server: Server, email: str) -> None:
    page.goto("/register")
    fill_in(page, email)
    first = link_to(server, email, "Confirm your address")
    page.goto("/login")
    log_in(page, email)

    page.get_by_role("link", name="Send it again").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")

    assert link_to(server, email, "Confirm your address") == first
    page.goto(first)
    page.get_by_role("button", name="Confirm this address").click()
    expect(page.get_by_role("status")).to_contain_text("Your address is confirmed")


def test_owner_of_the_mailbox_confirms_their_own_registration_and_not_an_attackers(
    page: Page, new_context: Callable[..., BrowserContext], server: Server, email: str
) -> None:
    """Pre-hijacking, as it looks to the person in front of it."""
    attacker = new_context().new_page()
    attacker.goto("/register")
    fill_in(attacker, email, "a passphrase that an attacker chose")
    theirs = link_to(server, email, "Confirm your address")
    page.goto("/register")
    fill_in(page, email)

    page.goto(theirs)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm this address").click()

    expect(page.get_by_role("alert")).to_contain_text("not the password of this sign-up")
    assert server.run(lambda: db.fetch_value(sa.select(user_rows.c.id).where(user_rows.c.email_key == email))) is None


def test_forgotten_password_ends_the_sessions_of_every_browser(
    anyone: Page, new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    page = anyone
    others = [new_context().new_page() for _ in range(2)]
    for other in others:
        sign_in(other.context, server, person)
        other.goto("/dashboard")
        expect(other.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")

    page.goto(forgets(page, server, person.email))
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_role("button", name="Save password").click()

    expect(page.get_by_role("status")).to_contain_text("Your new password is set")
    assert [each["name"] for each in page.context.cookies()] == [cookies.device_name()]  # it signs nobody in
    for other in others:
        other.goto("/dashboard")
        expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    log_in(page, person.email, NEW)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")
    assert "changed" in mailbox.arrived(server, person.email, "Your password was changed").text


def test_password_that_is_refused_can_be_chosen_again(page: Page, server: Server, person: Person) -> None:
    page.goto(forgets(page, server, person.email))
    page.get_by_label("New password", exact=True).fill("too short")
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("alert").get_by_role("link", name=re.compile("^New password: Use at least 15")).click()
    expect(page.get_by_label("New password", exact=True)).to_be_focused()

    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_role("button", name="Save password").click()

    expect(page.get_by_role("status")).to_contain_text("Your new password is set")


def test_link_that_was_used_says_so_and_offers_a_new_one(page: Page, server: Server, person: Person) -> None:
    link = forgets(page, server, person.email)
    for _ in range(2):
        page.goto(link)
        if page.get_by_role("button", name="Save password").is_visible():
            page.get_by_label("New password", exact=True).fill(NEW)
            page.get_by_role("button", name="Save password").click()
            expect(page.get_by_role("status")).to_be_visible()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your password is set")
    page.get_by_role("link", name="Request a new link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Forgot your password?")


@pytest.mark.parametrize("which", ["confirm", "reset"])
def test_token_stands_in_no_later_address_and_no_referer(
    page: Page, server: Server, person: Person, email: str, which: str
) -> None:
    """AC-045"""
    if which == "confirm":
        page.goto("/register")
        fill_in(page, email)
        link = link_to(server, email, "Confirm your address")
    else:
        link = forgets(page, server, person.email)
    traffic = Traffic(page.context)
    page.goto(link)
    if which == "reset":
        page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_role("button", name="Confirm this address" if which == "confirm" else "Save password").click()
    expect(page.get_by_role("status")).to_be_visible()
    page.get_by_role("link", name="Create an account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Create an account")

    secret = link.partition("token=")[2]
    first, *later = traffic.everything()
    assert secret in first.url
    assert len(later) >= 5
    for request in later:
        assert secret not in request.url
        assert secret not in request.all_headers().get("referer", "")


@pytest.mark.parametrize(
    ("path", "tokens"),
    [
        ("/register", {"Name": "name", "E-mail": "username", "Password": "new-password"}),
        ("/forgot-password", {"E-mail": "username"}),
        ("/verify-email/resend", {"E-mail": "username"}),
    ],
)
def test_password_manager_knows_what_belongs_where(page: Page, path: str, tokens: dict[str, str]) -> None:
    """AC-190"""
    page.goto(path)

    for label, token in tokens.items():
        expect(page.get_by_label(label, exact=True)).to_have_attribute("autocomplete", token)


def test_password_manager_knows_whose_password_is_chosen(page: Page, server: Server, person: Person) -> None:
    page.goto(forgets(page, server, person.email))

    expect(page.get_by_label("New password", exact=True)).to_have_attribute("autocomplete", "new-password")
    assert page.locator("input[autocomplete=username]").input_value() == person.email


def test_register_form_that_is_refused_keeps_what_was_typed_and_leads_to_each_field(page: Page) -> None:
    page.goto("/register")
    page.get_by_label("Name").fill("Joan Example")
    page.get_by_label("E-mail").fill("joan@localhost")
    page.get_by_label("Password", exact=True).fill("too short")
    page.get_by_role("button", name="Create account").click()

    expect(page.get_by_role("alert")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: Create an account"))
    expect(page.get_by_label("Name")).to_have_value("Joan Example")
    expect(page.get_by_label("E-mail")).to_have_value("joan@localhost")
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    page.get_by_role("alert").get_by_role("link", name=re.compile("^E-mail: ")).click()
    expect(page.get_by_label("E-mail")).to_be_focused()


def test_field_for_programs_is_nothing_to_a_person(anyone: Page, server: Server, email: str) -> None:
    """Not seen, not reached by keyboard, not read out, not filled in by browser or password manager."""
    page = anyone
    page.goto("/register")
    trap = page.locator("input[name=homepage]")

    expect(trap).to_have_count(1)
    expect(trap).not_to_be_visible()
    expect(page.get_by_label("Leave this field empty")).not_to_be_visible()
    assert not trap.evaluate("(field) => { field.focus(); return document.activeElement === field }")
    assert "Leave this field empty" not in page.locator("main").aria_snapshot()
    for name, value in {"autocomplete": "off", "tabindex": "-1", "data-lpignore": "true"}.items():
        expect(trap).to_have_attribute(name, value)
    page.get_by_label("Name").focus()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.getAttribute('name')"))
    assert {"email", "password"} <= set(reached)
    assert "homepage" not in reached
    fill_in(page, email)
    assert mailbox.arrived(server, email)


def test_program_that_fills_in_every_field_sees_what_a_person_sees(page: Page, server: Server, email: str) -> None:
    page.goto("/register")
    page.locator("input[name=homepage]").evaluate("(field) => { field.value = 'https://spam.example' }")
    fill_in(page, email)
    page.goto("/register")
    fill_in(page, f"next-{email}")

    mailbox.arrived(server, f"next-{email}")
    query = sa.select(sa.func.count()).where(email_rows.c.recipient == email)
    assert server.run(lambda: db.fetch_value(query)) == 0
