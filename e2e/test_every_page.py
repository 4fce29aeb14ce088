"""Every page there is: accessible in both colour schemes and on a phone, and nothing in the console."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from app import db
from app.audit import events
from app.auth import email_links
from app.auth.accounts import password_reset, signup
from app.auth.accounts.user_admin import change
from app.auth.sessions import revocation
from app.email.messages import Line
from app.email.models import email_rows
from app.notes import store
from app.web import client, templates
from app.web.notices import cookie_name
from e2e.support.layout import cut_off
from e2e.support.people import let_an_hour_pass, put_cookie, sign_in
from tests.support import forge
from tests.support.device import Device, added, offered
from tests.support.mailbox import arrived, link_in
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.phone import Phone, with_a_phone
from tests.support.server import Server

pytestmark = pytest.mark.long

PHONE, NARROW = {"width": 360, "height": 740}, {"width": 320, "height": 640}


@dataclass
class Scene:
    """A browser, and who sits in front of it."""

    page: Page
    server: Server
    person: Person | None

    def go(self, path: str) -> None:
        self.page.goto(path)

    def go_told(self, path: str) -> None:
        """As after a form: the browser holds what the address says was done."""
        told = {"name": cookie_name(), "value": path.rpartition("notice=")[2], "url": "https://localhost"}
        self.page.context.add_cookies([{**told, "secure": True, "httpOnly": True, "sameSite": "Strict"}])  # type: ignore[list-item]
        self.page.goto(path)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    # notes:
    def note(self, title: str, body: str = "") -> str:
        assert self.person
        owner = self.person.id
        made = self.server.run(lambda: store.create(owner, title, body, "done", date(2026, 12, 24)))
        return f"/notes/{made.id}"

    # /notes
    def somebody_else(self) -> str:
        person = self.server.run(make_user)
        return f"/admin/users/{person.id}"


def login_refused(at: Scene) -> None:
    at.go("/login")
    at.page.get_by_label("E-mail").fill("nobody@example.com")
    at.page.get_by_label("Password", exact=True).fill("not the right passphrase")
    at.press("Sign in")


def login_empty(at: Scene) -> None:
    at.go("/login")
    at.press("Sign in")


def refused(path: str, button: str) -> Callable[[Scene], None]:
    """A form sent empty."""

    def steps(at: Scene) -> None:
        at.go(path)
        at.press(button)

    return steps


def confirmation(*passwords: str) -> Callable[[Scene], None]:
    """The page behind a mailed link; each password is a registration of the one address."""

    async def registered() -> str:
        email = f"{db.uuid7()}@example.com"
        for password in passwords:
            await signup.request(email, "Joan Example", password)
        return email_links.token(await signup.newest(email, db.utcnow()))

    return lambda at: at.go(f"/verify-email?token={at.server.run(registered)}")


def reset(at: Scene, with_second_step: bool = False) -> None:
    async def forgotten() -> str:
        person = await make_user()
        if with_second_step:
            await with_a_phone(person)
        made = await password_reset.make_link(person.email, db.uuid7(), client.Client())
        assert made
        return email_links.token(made[1])

    at.go(f"/reset-password?token={at.server.run(forgotten)}")


def reset_refused(at: Scene) -> None:
    reset(at)
    at.press("Save password")


def dashboard_with_an_alarm(at: Scene) -> None:
    assert at.person
    for password in (at.person.password, "not the right passphrase"):
        httpx.post(f"{at.server.url}/api/auth/login", json={"email": at.person.email, "password": password})
    at.go("/dashboard")
    expect(at.page.get_by_role("listitem").filter(has_text="wrong password")).to_be_visible()


def dashboard_after_a_theft(at: Scene) -> None:
    assert at.person
    person = at.person
    at.server.run(lambda: after_reuse(person))
    at.go("/dashboard")


def was_this_you(at: Scene) -> None:
    dashboard_after_a_theft(at)
    at.page.get_by_role("link", name="This was me").click()


def was_this_you_refused(at: Scene) -> None:
    was_this_you(at)
    at.page.get_by_role("button", name="This was me").click()


# notes:
def notes(at: Scene) -> None:
    for number in range(25):
        at.note(f"Note {number}", "A line.\n" * number)
    at.go("/notes")


def note_refused(at: Scene) -> None:
    at.go("/notes/new")
    at.press("Save note")


# /notes


def step_up(at: Scene) -> None:
    let_an_hour_pass(at.page.context)
    at.go(f"{at.somebody_else()}/deactivate")


def step_up_refused(at: Scene) -> None:
    step_up(at)
    at.page.get_by_label("Password", exact=True).fill("not the right passphrase")
    at.press("Continue")


def queued(at: Scene, **values: Any) -> str:
    """An e-mail that the sender has finished with; the path of its page."""
    now, email_id = db.utcnow(), db.uuid7()
    row = {"id": email_id, "kind": "reset", "recipient": "robin@example.com", "created_at": now}
    later = {"next_try_at": now + timedelta(days=7)}
    at.server.run(lambda: db.execute(sa.insert(email_rows).values(row | later | values)))
    return f"/dev/mailbox/{email_id}"


def email_message(at: Scene) -> None:
    html = templates.environment(templates.TEMPLATES).get_template("email/frame.html")
    lines = [[Line("Hello,")], [Line("Choose a new password", f"{at.server.url}/reset-password?token=x")]]
    shown = html.render(subject="Choose a new password", paragraphs=lines, foot="Lanyard")
    text = f"Hello,\n\nChoose a new password:\n{at.server.url}/reset-password?token={'x' * 80}\n"
    at.go(queued(at, sent_at=db.utcnow(), subject="Choose a new password", text=text, html=shown))


def failed_email(at: Scene) -> None:
    at.go(queued(at, failed_at=db.utcnow(), error="Undeliverable: 550 5.1.1 nobody here" + "x" * 200))


def mailbox(at: Scene) -> None:
    for state in ("sent_at", "dropped_at", "failed_at"):
        queued(at, **{state: db.utcnow()}, subject=f"An e-mail {state}")
    at.go("/dev/mailbox")


def account_refused(at: Scene) -> None:
    at.go("/account")
    at.page.get_by_label("Name").fill(" ")
    at.press("Save name")


def account_with_a_new_address(at: Scene) -> None:
    at.go("/account/email")
    assert at.person
    # One of its own each time: a mailbox gets three of these e-mails in six hours.
    at.page.get_by_label("New e-mail address").fill(f"{'x' * 40}-{at.person.email}")
    at.page.get_by_label("Password", exact=True).fill(PASSWORD)
    at.press("Send the link")


def password_refused(at: Scene) -> None:
    at.go("/account/password")
    at.press("Change password")


def password_with_passkeys(at: Scene) -> None:
    """Changed because somebody knows it, perhaps: what was added lately, and what may go along."""
    passkeys(at)
    with_the_second_step(at)
    refused("/account/password", "Change password")(at)


def email_refused(at: Scene) -> None:
    account_with_a_new_address(at)
    at.go("/account/email")
    at.press("Send the link")


def undo(at: Scene) -> None:
    assert at.person
    account_with_a_new_address(at)
    email_message = arrived(at.server, at.person.email, "Change of your e-mail address requested")
    at.go(link_in(email_message, at.server.url))


def undone(at: Scene) -> None:
    undo(at)
    at.press("Cancel the change")


def devices(at: Scene) -> None:
    """Two that go on, and one that was signed out."""
    signed_in_elsewhere(at)
    revoke(at)
    at.page.get_by_role("main").get_by_role("button", name="Sign out").click()
    at.page.get_by_text("Signed out in the last 30 days").click()


def signed_in_elsewhere(at: Scene) -> None:
    assert at.person
    httpx.post(f"{at.server.url}/api/auth/login", json={"email": at.person.email, "password": PASSWORD})


def revoke(at: Scene) -> None:
    signed_in_elsewhere(at)
    at.go("/account/sessions")
    at.page.get_by_role("link", name="Sign out this device").last.click()


def revoke_others(at: Scene) -> None:
    signed_in_elsewhere(at)
    at.go("/account/sessions/revoke-others")


def administration(at: Scene) -> None:
    for event in (events.LOGIN_FAILED, events.SESSION_REUSED):
        at.server.run(lambda event=event: events.record(event))
    at.go("/admin")
    at.page.get_by_text("Sign-ins per day as a table").click()


def person_with_audit_log(at: Scene) -> None:
    assert at.person
    path, admin_id = at.somebody_else(), at.person.id
    user_id = UUID(path.rpartition("/")[2])
    at.server.run(lambda: change(user_id, admin_id, role="admin"))
    at.server.run(lambda: start_session(Person(user_id, "", "", "user", "")))
    at.go_told(f"{path}?notice=role_changed")
    at.page.get_by_text("Fields").first.click()


def person_refused(at: Scene) -> None:
    at.go(at.somebody_else() + "/edit")
    at.page.get_by_label("Name").fill("")
    at.press("Save")


async def after_reuse(person: Person) -> str:
    """A session that an old copy ended; the ids of the person and of it, as the admin area writes them."""
    pair = await start_session(person)
    sid = UUID(forge.claims(pair.access_token)["sid"])
    browsers = {"renewed": "Chrome/1 Linux", "reused": "Safari/1 iPhone"}
    about = {name: client.Client("192.0.2.7", agent) for name, agent in browsers.items()}
    for generation in range(2, 14):
        await events.record(
            events.SESSION_ROTATED, user_id=person.id, session_id=sid, detail=f"gen {generation}",
            browser=about["renewed"],
        )  # fmt: skip
    await events.record(
        events.SESSION_REUSED, user_id=person.id, session_id=sid, detail="gen 3 of 13", browser=about["reused"]
    )
    async with db.transaction() as tx:
        await revocation.revoke(sid, events.REUSED, tx=tx, now=db.utcnow())
    return f"{person.id}/sessions/{sid}"


def device(at: Scene) -> None:
    assert at.person
    person = at.person
    at.go("/account/sessions/" + at.server.run(lambda: after_reuse(person)).rpartition("/")[2])
    at.page.get_by_text("Show as a table").click()


def session_of_somebody(at: Scene) -> None:
    at.go("/admin/users/" + at.server.run(somebody_after_reuse))
    at.page.get_by_text("Show as a table").click()


async def somebody_after_reuse() -> str:
    return await after_reuse(await make_user())


def session_to_end(at: Scene) -> None:
    path = at.somebody_else()
    at.server.run(lambda: start_session(Person(UUID(path.rpartition("/")[2]), "", "", "user", "")))
    at.go(path)
    at.page.get_by_role("link", name="End the session on Unknown device").click()


def people_who_wait(at: Scene) -> None:
    async def register() -> None:
        async with db.transaction() as tx:
            await email_links.make(
                tx, email_links.REGISTER, db.utcnow(), email="new@example.com", email_key="new@example.com", name="N"
            )

    at.server.run(register)
    at.go("/admin/users/pending")


def mail(at: Scene) -> None:
    queued(at, failed_at=db.utcnow(), error="Undeliverable: 550 5.1.1 nobody here" + "x" * 200, attempts=9)
    at.go("/admin/mail")


def email_to_retry(at: Scene) -> None:
    mail(at)
    at.page.get_by_role("link", name="Send again").first.click()


def with_the_second_step(at: Scene) -> Phone:
    """As turned on elsewhere; the browser is the one that did it."""
    assert at.person
    person = at.person
    phone = at.server.run(lambda: with_a_phone(person))
    assert phone.pair
    put_cookie(at.page.context, "access", phone.pair.access_token)
    put_cookie(at.page.context, "refresh", phone.pair.refresh_token)
    return phone


def second_step_on(at: Scene) -> None:
    with_the_second_step(at)
    at.go("/account/second-factor")
    at.press("Turn off two-factor authentication")


def passkeys(at: Scene) -> None:
    """One that is there, and an attempt that failed."""
    assert at.person
    person = at.person

    async def one() -> None:
        sid, options = await offered(person)
        assert await added(person, sid, Device().create(options), "W" * 80)

    at.server.run(one)
    at.go("/account/passkeys")
    at.page.get_by_label("Name").fill("")
    with at.page.expect_navigation():  # what comes next must not overtake it
        at.page.evaluate("document.querySelector('form[data-passkey]').submit()")


def second_step_proved_by_no_passkey(at: Scene) -> None:
    """Turned off with something that is no passkey of this account."""
    passkeys(at)
    with_the_second_step(at)
    at.go("/account/second-factor")
    at.page.get_by_label("Use a passkey instead").check()
    at.page.evaluate("document.querySelector('[data-proof]').value = 'x'")
    at.press("Turn off two-factor authentication")


def passkey_to_remove(at: Scene) -> None:
    passkeys(at)
    at.page.get_by_role("link", name="Remove the passkey").click()


def recovery_codes(at: Scene) -> None:
    at.go("/account/second-factor")
    phone = Phone((at.page.locator("code.secret").text_content() or "").replace(" ", ""))
    at.page.get_by_label("Code", exact=True).fill(phone.shows(db.utcnow()))
    at.page.get_by_label("Password", exact=True).fill(PASSWORD)
    at.press("Turn on")


def new_recovery_codes(at: Scene) -> None:
    phone = with_the_second_step(at)
    at.go("/account/second-factor")
    at.page.get_by_label("Code", exact=True).fill(phone.recovery_codes[0])
    at.page.get_by_label("Password", exact=True).fill(PASSWORD)
    at.press("Create new recovery codes")


def second_step(at: Scene) -> None:
    assert at.person
    with_the_second_step(at)
    at.page.context.clear_cookies()
    at.go("/login")
    at.page.get_by_label("E-mail").fill(at.person.email)
    at.page.get_by_label("Password", exact=True).fill(PASSWORD)
    at.press("Sign in")


def second_step_refused(at: Scene) -> None:
    second_step(at)
    at.press("Sign in")


def bounce(at: Scene) -> None:
    """Followed from another site, and held there: its reload is answered with "no content", so the page stays."""
    answers = iter([lambda route: route.continue_(), lambda route: route.fulfill(status=204)])
    at.page.route("**/account", lambda route: next(answers)(route))
    at.page.goto(f"data:text/html,<a href='{at.server.url}/account'>Have a look</a>")
    at.page.get_by_role("link", name="Have a look").click()


FRONT = templates.APP_NAME
FRONT = "User accounts and sign-in, ready to build on."  # template
# Name: who looks at it, the heading that says it is that page, how one gets there.
PAGES: dict[str, tuple[str, str, Callable[[Scene], Any]]] = {
    "home": ("", FRONT, lambda at: at.go("/")),
    "home, signed in": ("user", FRONT, lambda at: at.go("/")),
    "login": ("", "Sign in", lambda at: at.go_told("/login?notice=signed_out")),
    "login, refused": ("", "Sign in", login_refused),
    "login, empty": ("", "Sign in", login_empty),
    "register": ("", "Create an account", lambda at: at.go("/register")),
    "register, refused": ("", "Create an account", refused("/register", "Create account")),
    "register, sent": ("", "Check your e-mail", lambda at: at.go("/register/sent")),
    "confirm": ("", "Confirm your address", confirmation("a passphrase of one's own")),
    "confirm, password": ("", "Confirm your address", confirmation("an attacker's phrase", "one's own passphrase")),
    "resend": ("", "Send the confirmation e-mail again", refused("/verify-email/resend", "Send the link again")),
    "resend, sent": ("", "Check your e-mail", lambda at: at.go("/verify-email/sent")),
    "forgot": ("", "Forgot your password?", lambda at: at.go("/forgot-password")),
    "forgot, refused": ("", "Forgot your password?", refused("/forgot-password", "Send the link")),
    "forgot, sent": ("", "Check your e-mail", lambda at: at.go("/forgot-password/sent")),
    "reset": ("", "Choose a new password", reset),
    "reset, which undoes a second step": ("", "Choose a new password", lambda at: reset(at, with_second_step=True)),
    "reset, refused": ("", "Choose a new password", reset_refused),
    "link, gone": ("", "This link is not valid", lambda at: at.go("/reset-password?token=x")),
    "dashboard": ("user", "Hello, Robin Example", dashboard_with_an_alarm),
    "dashboard, after a theft": ("user", "Hello, Robin Example", dashboard_after_a_theft),
    "stolen session, was this you": ("user", "Was this you?", was_this_you),
    "stolen session, refused": ("user", "Was this you?", was_this_you_refused),
    "secure your account": ("user", "Secure your account", lambda at: at.go("/account/secure")),
    # notes:
    "notes, none": ("user", "Notes", lambda at: at.go("/notes")),
    "notes": ("user", "Notes", notes),
    "notes, nothing found": ("user", "Notes", lambda at: at.go("/notes?q=key")),
    "note": ("user", "Keys", lambda at: at.go_told(at.note("Keys", "Third hook.") + "?notice=note_saved")),
    "note form": ("user", "Edit note", lambda at: at.go(at.note("Keys", "Third hook.") + "/edit")),
    "note form, refused": ("user", "New note", note_refused),
    "notes, as an administrator": ("admin", "Notes of everybody", lambda at: at.go("/admin/notes")),
    "note, to delete": ("user", "Delete this note?", lambda at: at.go(at.note("Keys") + "/delete")),
    # /notes
    "account": ("user", "Your account", account_with_a_new_address),
    "account, refused": ("user", "Your account", account_refused),
    "password": ("user", "Change password", lambda at: at.go("/account/password")),
    "password, with passkeys": ("user", "Change password", password_with_passkeys),
    "password, refused": ("user", "Change password", password_refused),
    "e-mail": ("user", "Change e-mail address", lambda at: at.go("/account/email")),
    "e-mail, refused": ("user", "Change e-mail address", email_refused),
    "e-mail, to call off": ("user", "Cancel the change?", undo),
    "e-mail, called off": ("user", "The change is cancelled", undone),
    "e-mail, no good link": ("", "This link is not valid", lambda at: at.go("/undo-email-change?token=x")),
    "second step": ("user", "Two-factor authentication", second_step),
    "second step, refused": ("user", "Two-factor authentication", second_step_refused),
    "second step, off": ("user", "Turn on two-factor authentication", refused("/account/second-factor", "Turn on")),
    "second step, on": ("user", "Two-factor authentication", second_step_on),
    "second step, no good passkey": ("user", "Two-factor authentication", second_step_proved_by_no_passkey),
    "recovery codes": ("user", "Your recovery codes", recovery_codes),
    "recovery codes, new": ("user", "Your recovery codes", new_recovery_codes),
    "use a passkey": ("", "Use a passkey", refused("/login/passkey", "Continue")),
    "passkeys, none": ("user", "Passkeys", lambda at: at.go("/account/passkeys")),
    "passkeys": ("user", "Passkeys", passkeys),
    "passkey, to remove": ("user", "Remove this passkey?", passkey_to_remove),
    "passkey, offered": (
        "user", "Sign in without a password next time?", lambda at: at.go("/account/passkeys/offer#x")
    ),
    "devices": ("user", "Devices", devices),
    "device": ("user", "Unknown device", device),
    "device, to sign out": ("user", "Sign out this device?", revoke),
    "other devices, to sign out": ("user", "Sign out all other devices?", revoke_others),
    "other devices, none": ("user", "Sign out all other devices?", lambda at: at.go("/account/sessions/revoke-others")),
    "activity": ("user", "Security activity", lambda at: (devices(at), at.go("/account/activity"))),
    "activity, none": ("user", "Security activity", lambda at: at.go("/account/activity")),
    "copy of the data": ("user", "Export your data", lambda at: at.go("/account/export")),
    "account, to delete": ("user", "Delete your account?", lambda at: at.go("/account/delete")),
    "admin": ("admin", "Administration", administration),
    "people": ("admin", "Users", lambda at: at.go("/admin/users")),
    "people, nobody found": ("admin", "Users", lambda at: at.go("/admin/users?q=nobody-at-all")),
    "person, to deactivate": (
        "admin", "Deactivate this user?", lambda at: at.go(at.somebody_else() + "/deactivate")
    ),
    "person": ("admin", "Robin Example", person_with_audit_log),
    "person, to edit, refused": ("admin", "Edit name and role", person_refused),
    "session of somebody": ("admin", "Unknown device", session_of_somebody),
    "person, to sign out": ("admin", "End this session?", session_to_end),
    "person, to invite": ("admin", "Invite a user", lambda at: at.go("/admin/users/new")),
    "people who wait": ("admin", "Pending sign-ups and invitations", people_who_wait),
    "people, to download": ("admin", "Download users as CSV?", lambda at: at.go("/admin/users/export?role=user")),
    "audit": ("admin", "Audit log", lambda at: at.go("/admin/audit")),
    "audit, refused": ("admin", "Audit log", lambda at: at.go("/admin/audit?ip=x&since=x")),
    "audit, nothing found": ("admin", "Audit log", lambda at: at.go("/admin/audit?ip=192.0.2.99")),
    "mail": ("admin", "E-mail queue", mail),
    "e-mail, to send again": ("admin", "Send this e-mail again?", email_to_retry),
    "step-up": ("admin", "Confirm your identity", step_up),
    "step-up, refused": ("admin", "Confirm your identity", step_up_refused),
    "mailbox": ("", "Mailbox", mailbox),
    "mailbox, nothing found": ("", "Mailbox", lambda at: at.go("/dev/mailbox?q=nobody-at-all")),
    "samples": ("", "E-mails with sample data", lambda at: at.go("/dev/mailbox/samples")),
    "sample": ("", "You are invited", lambda at: at.go("/dev/mailbox/samples/invite")),
    "e-mail in the mailbox": ("", "Choose a new password", email_message),
    "e-mail in the mailbox, failed": ("", "(reset)", failed_email),
    "403": ("user", "Forbidden", lambda at: at.go("/admin/users")),
    "404": ("", "Not Found", lambda at: at.go("/nothing/here")),
    "accessibility": ("", "Accessibility", lambda at: at.go("/accessibility")),
    "bounce": ("user", "One moment…", bounce),
}  # fmt: skip
# learn:
PAGES |= {
    "tutorial": ("", "Learn", lambda at: at.go("/learn")),
    "chapter": ("user", "Keys", lambda at: at.go("/learn/keys")),
    "course": ("", "Build it: from an empty folder to sign-in with JWT", lambda at: at.go("/learn/build")),
    "step": ("user", "Login over JSON", lambda at: at.go("/learn/build/login-over-json")),
    "patterns": ("", "All patterns", lambda at: at.go("/learn/patterns")),
    "search": ("", "Search the tutorial", lambda at: at.go("/learn/search?q=rotation")),
    "comparisons": ("", "Comparisons", lambda at: at.go("/learn/comparisons")),
    "coming from": ("", "Coming from another framework", lambda at: at.go("/learn/coming-from")),
    "other tutorials": ("", "Beside other tutorials", lambda at: at.go("/learn/other-tutorials")),
    "port": ("", "Port it into your own application", lambda at: at.go("/learn/port")),
    "switched off": ("", "Switch off one check", lambda at: at.go("/learn/switched-off")),
    "curl": ("", "Every request with curl", lambda at: at.go("/learn/curl")),
    "pattern": ("", "token-create", lambda at: at.go("/learn/patterns/token-create")),
    "glossary": ("", "Glossary", lambda at: at.go("/learn/glossary")),
    "problems": ("", "Problems and solutions", lambda at: at.go("/learn/problems")),
    "source": ("", "app/main.py", lambda at: at.go("/learn/source/app/main.py#L20")),
}
# /learn


@pytest.fixture(params=PAGES)
def shown(request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext], server: Server) -> Page:
    """A page of the table, on a wide screen in light colours."""
    role, heading, steps = PAGES[request.param]
    context = new_context(reduced_motion="reduce", color_scheme="light")
    person = server.run(lambda: make_user(role=role)) if role else None
    if person:
        sign_in(context, server, person)
    page = context.new_page()
    page.on("console", lambda message: grumble(message, request.getfixturevalue("complaints")))
    steps(Scene(page, server, person))
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    return page


def grumble(message: ConsoleMessage, complaints: list[str]) -> None:
    """Any error in the console but the status of the page itself, which is 404 where that is the page.

    And but the frame of an e-mail, where axe finds nothing: no script runs there. See `test_mailbox`.
    """
    own_status = message.text.startswith("Failed to load resource") and message.location["url"] == message.page.url
    knocked = message.text.startswith("Blocked script execution") and "/dev/mailbox/" in message.text
    if message.type in ("error", "warning") and not own_status and not knocked:
        complaints.append(message.text)


def violations(page: Page) -> str:
    """What axe finds, in words; "" for nothing."""
    found = Axe().run(page)
    return str(found.generate_report()) if found.violations_count else ""


def test_page_is_accessible_in_both_colour_schemes_and_on_a_phone(shown: Page) -> None:
    light = violations(shown)
    shown.emulate_media(color_scheme="dark")
    dark = violations(shown)
    shown.set_viewport_size(PHONE)  # type: ignore[arg-type]
    phone = violations(shown)

    assert (light, dark, phone) == ("", "", "")


@pytest.mark.parametrize("width", [320, 390])
def test_page_scrolls_in_one_direction_only_and_cuts_no_text_off(shown: Page, width: int) -> None:
    """WCAG 2.2, 1.4.10 Reflow: 320 pixels."""
    shown.set_viewport_size({"width": width, "height": 740})

    too_wide = shown.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert (too_wide, cut_off(shown)) == (0, [])
