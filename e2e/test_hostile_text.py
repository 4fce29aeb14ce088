"""What people type is text, wherever it is shown: no markup, no script, and it breaks no layout."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from app import db
from app.audit import events
from app.auth import email_links
from app.auth.models import session_rows
from app.email import outbox
from app.email.models import email_rows
from app.notes import store
from app.web.client import Client
from e2e.support.header import account_menu
from e2e.support.people import sessions_of, sign_in
from tests.support.people import Person, make_user, start_session
from tests.support.server import Server

pytestmark = pytest.mark.long

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
QUOTES = "\"><svg onload=alert(3)>'`{{7*7}}${7*7}<!--"
NARROW = {"width": 320, "height": 640}


@pytest.fixture
def mallory(page: Page, server: Server) -> Person:
    """Signed in; the name is markup."""
    person = server.run(lambda: make_user(name=MARKUP))
    sign_in(page.context, server, person)
    return person


@pytest.fixture(autouse=True)
def no_script_runs(page: Page, complaints: list[str]) -> None:
    """Each of the scripts here would open a dialog."""
    page.on("dialog", lambda dialog: (complaints.append(f"a script ran: {dialog.message}"), dialog.dismiss()))


# notes:
def write(server: Server, person: Person, title: str, body: str = "") -> str:
    return f"/notes/{server.run(lambda: store.create(person.id, title, body)).id}"


# /notes


def parts_that_are_not_ours(page: Page) -> int:
    return page.locator("img, [onerror], [onload], script:not([src])").count()


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


# v5.0.0-1.2.1, v5.0.0-1.1.2, v5.0.0-1.3.1, v5.0.0-1.3.5, v5.0.0-3.2.2: no markup is taken from anybody
def test_name_that_is_markup_is_shown_as_typed(page: Page, mallory: Person) -> None:
    for path in ("/dashboard", "/", "/account", "/account/delete"):
        page.goto(path)

        expect(page.get_by_text(MARKUP, exact=True).first).to_be_visible()
        assert parts_that_are_not_ours(page) == 0


def test_name_that_is_markup_is_shown_as_typed_to_an_administrator(page: Page, server: Server, mallory: Person) -> None:
    sign_in(page.context, server, server.run(lambda: make_user(role="admin")))

    page.goto(f"/admin/users?q={mallory.email}")
    expect(page.get_by_role("row", name=mallory.email).get_by_text(MARKUP, exact=True).first).to_be_visible()
    page.goto(f"/admin/users/{mallory.id}/deactivate")

    expect(page.get_by_text(MARKUP, exact=True)).to_be_visible()
    assert parts_that_are_not_ours(page) == 0


# notes:
@pytest.mark.parametrize("text", [MARKUP, QUOTES])
def test_note_that_is_markup_is_shown_as_typed_on_every_page_of_it(
    page: Page, server: Server, mallory: Person, text: str
) -> None:
    note = write(server, mallory, text, text)

    for path in ("/notes", note, f"{note}/delete"):
        page.goto(path)
        expect(page.get_by_text(text, exact=True).last).to_be_visible()
        assert parts_that_are_not_ours(page) == 0
    page.goto(f"{note}/edit")

    expect(page.get_by_label("Title")).to_have_value(text)
    expect(page.get_by_label("Text")).to_have_value(text)
    assert parts_that_are_not_ours(page) == 0


def test_text_of_a_form_that_was_refused_comes_back_as_typed(page: Page, mallory: Person) -> None:
    page.goto("/notes/new")
    page.get_by_label("Title").fill("   ")
    page.get_by_label("Text").fill(f"\n\n</textarea>{MARKUP}")

    page.get_by_role("button", name="Save note").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value(f"\n\n</textarea>{MARKUP}")
    assert parts_that_are_not_ours(page) == 0


# v5.0.0-1.2.1
def test_search_for_markup_repeats_it_as_text(page: Page, mallory: Person) -> None:
    page.goto("/notes?q=x")
    page.get_by_label("Search notes").fill(QUOTES)
    page.get_by_role("button", name="Search").click()

    expect(page.get_by_label("Search notes")).to_have_value(QUOTES)
    expect(page.get_by_text(QUOTES, exact=True)).to_be_visible()
    assert parts_that_are_not_ours(page) == 0


# /notes


def test_address_typed_at_the_login_comes_back_as_text(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("E-mail").fill(QUOTES)
    page.get_by_label("Password", exact=True).fill(MARKUP)

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value(QUOTES)
    assert parts_that_are_not_ours(page) == 0


LONG_WORD = "W" * 80
RIGHT_TO_LEFT = "שלום עולם (סוד) 123 مرحبا بالعالم"


@pytest.mark.parametrize("text", [LONG_WORD, RIGHT_TO_LEFT, MARKUP], ids=["long word", "right to left", "markup"])
def test_layout_of_a_narrow_screen_holds(page: Page, server: Server, text: str) -> None:
    person = server.run(lambda: make_user(name=text))
    sign_in(page.context, server, person)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    paths = ["/", "/dashboard", "/account", "/account/email", "/account/sessions", "/account/delete"]
    # notes:
    note = write(server, person, text, text)
    paths += ["/notes", note, f"{note}/edit", f"{note}/delete", f"/notes?q={LONG_WORD}"]
    # /notes

    for path in paths:
        page.goto(path)
        assert overflow(page) <= 0, path
        expect(account_menu(page)).to_be_in_viewport(ratio=1)


def test_layout_of_the_people_list_holds(page: Page, server: Server) -> None:
    for name in (LONG_WORD, RIGHT_TO_LEFT):
        server.run(lambda name=name: make_user(name=name, email=f"{'x' * 60}@{len(name)}.example.com"))
    sign_in(page.context, server, server.run(lambda: make_user(role="admin", name=LONG_WORD)))
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]

    page.goto(f"/admin/users?q={'x' * 60}")

    expect(page.get_by_role("row")).to_have_count(2)
    assert overflow(page) <= 0


# notes:
def test_right_to_left_title_turns_nothing_around_but_itself(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto(write(server, person, RIGHT_TO_LEFT))

    title, rest = page.get_by_role("heading", level=1), page.get_by_text("Written")

    assert [part.evaluate("(part) => getComputedStyle(part).direction") for part in (title, rest)] == ["rtl", "ltr"]


# /notes


def test_characters_that_turn_text_around_are_refused(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/account")
    page.get_by_label("Name").fill("invoice\u202efdp.exe")

    page.get_by_role("button", name="Save name").click()

    expect(page.get_by_label("Name")).to_have_accessible_description(
        "Up to 80 characters. Shown on your dashboard. Error: This contains characters that cannot be shown."
    )


# Out of the lists of strings that broke other sites: markup, formulas, marks, directions, widths, things that look like
# code, and names that are no names. Whatever a name may hold, an admin sees it.
NAUGHTY = [
    MARKUP, QUOTES, "=HYPERLINK(\"http://evil.example\")", "\u200fmirrored", RIGHT_TO_LEFT, LONG_WORD,
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033da\u034f\u0334lgo", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\ufdfa" * 40, "{{7*7}}${7*7}<%= 7*7 %>", "'; DROP TABLE users; --", "../../etc/passwd", "null",
    "\uff1cscript\uff1e", "&lt;b&gt;&amp;", "javascript:alert(1)", "Robert\u00a0\u3000X", "%s%n%d", "-1",
    "</title></table></svg>",
]  # fmt: skip


def test_every_page_an_admin_sees_shows_hostile_names_as_text(page: Page, server: Server) -> None:
    """v5.0.0-1.2.1: no script runs, the policy has nothing to report, and the page keeps its width."""
    admin = server.run(lambda: make_user(role="admin", name=MARKUP))
    people = [server.run(lambda name=name: make_user(name=name)) for name in NAUGHTY]
    for person in people:
        server.run(lambda person=person: hostile_traces(person, admin))
    sign_in(page.context, server, admin)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    ids = [person.id for person in people]

    for path in (
        "/admin",
        "/admin/users",
        "/admin/users?sort=name",
        "/admin/users?verified=yes",
        "/admin/audit",
        "/admin/mail",
        "/admin/users/pending",
    ):
        page.goto(path)
        assert parts_that_are_not_ours(page) == 0, path
        assert overflow(page) <= 0, path
    for number, person_id in enumerate(ids):
        session = f"/sessions/{sessions_of(server, people[number])[0].id}"
        for path in ("", "/edit", "/deactivate", "/send-link", session, f"{session}/end"):
            page.goto(f"/admin/users/{person_id}{path}")
            assert parts_that_are_not_ours(page) == 0, (path, NAUGHTY[number])
            assert overflow(page) <= 0, (path, NAUGHTY[number])
        page.goto(f"/admin/users/{person_id}")
        expect(page.get_by_role("heading", level=1)).to_have_text(NAUGHTY[number].replace("\u3000", " "))


@pytest.mark.parametrize("text", [MARKUP, QUOTES, RIGHT_TO_LEFT, "%_\\", "\U0001f600"])
def test_filters_of_an_admin_repeat_what_was_typed_as_text(page: Page, server: Server, text: str) -> None:
    sign_in(page.context, server, server.run(lambda: make_user(role="admin")))
    page.goto("/admin/users")
    page.get_by_label("Search users").fill(text)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_label("Search users")).to_have_value(text)
    assert parts_that_are_not_ours(page) == 0
    page.goto("/admin/audit")
    for label in ("User", "IP address"):
        page.get_by_label(label, exact=True).fill(text)

    page.get_by_role("button", name="Show").click()

    expect(page.get_by_label("IP address", exact=True)).to_have_value(text)
    assert parts_that_are_not_ours(page) == 0


async def hostile_traces(person: Person, admin: Person) -> None:
    """A session, an event, a failed e-mail and a link of theirs, hostile wherever a visitor or a mail server writes."""
    await start_session(person)
    who, key = {"user_id": person.id, "actor_id": admin.id}, f"{person.id}@example.com"
    failed = {"failed_at": db.utcnow(), "error": MARKUP, "next_try_at": db.utcnow() + timedelta(days=1)}
    async with db.transaction() as tx:
        theirs = sa.update(session_rows).where(session_rows.c.user_id == person.id)
        await tx.execute(theirs.values(user_agent=MARKUP, ip="<b>"))
        await events.record(events.LOGIN, tx=tx, **who, browser=Client("<i>", QUOTES, "<u>"))
        email_id = await outbox.enqueue(tx, "new_device", user_id=person.id)
        await tx.execute(sa.update(email_rows).where(email_rows.c.id == email_id).values(failed))
        await email_links.make(tx, email_links.REGISTER, db.utcnow(), email=key, email_key=key, name=person.name)
