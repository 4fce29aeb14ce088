"""What people type is text, wherever it is shown: no markup, no script, and it breaks no layout."""

import pytest
from playwright.sync_api import Page, expect

from app.notes import store
from e2e.support.people import sign_in
from tests.support.people import Person, make_user
from tests.support.server import Server

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


def write(server: Server, person: Person, title: str, body: str = "") -> str:
    return f"/notes/{server.run(lambda: store.create(person.id, title, body)).id}"


def parts_that_are_not_ours(page: Page) -> int:
    return page.locator("img, [onerror], [onload], script:not([src])").count()


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_name_that_is_markup_is_shown_as_typed(page: Page, mallory: Person) -> None:
    for path in ("/dashboard", "/", "/notes", "/account", "/account/delete"):
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


def test_search_for_markup_repeats_it_as_text(page: Page, mallory: Person) -> None:
    page.goto("/notes?q=x")
    page.get_by_label("Search notes").fill(QUOTES)
    page.get_by_role("button", name="Search").click()

    expect(page.get_by_label("Search notes")).to_have_value(QUOTES)
    expect(page.get_by_text(QUOTES, exact=True)).to_be_visible()
    assert parts_that_are_not_ours(page) == 0


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
    note = write(server, person, text, text)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]

    account = ("/account", "/account/email", "/account/sessions", "/account/delete")
    for path in (
        "/dashboard",
        "/notes",
        note,
        f"{note}/edit",
        f"{note}/delete",
        f"/notes?q={LONG_WORD}",
        "/",
        *account,
    ):
        page.goto(path)
        assert overflow(page) <= 0, path
        expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport()


def test_layout_of_the_people_list_holds(page: Page, server: Server) -> None:
    for name in (LONG_WORD, RIGHT_TO_LEFT):
        server.run(lambda name=name: make_user(name=name, email=f"{'x' * 60}@{len(name)}.example.com"))
    sign_in(page.context, server, server.run(lambda: make_user(role="admin", name=LONG_WORD)))
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]

    page.goto(f"/admin/users?q={'x' * 60}")

    expect(page.get_by_role("row")).to_have_count(2)
    assert overflow(page) <= 0


def test_right_to_left_title_turns_nothing_around_but_itself(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto(write(server, person, RIGHT_TO_LEFT))

    title, rest = page.get_by_role("heading", level=1), page.get_by_text("Written")

    assert [part.evaluate("(part) => getComputedStyle(part).direction") for part in (title, rest)] == ["rtl", "ltr"]


def test_characters_that_turn_text_around_are_refused(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/notes/new")
    page.get_by_label("Title").fill("invoice\u202efdp.exe")

    page.get_by_role("button", name="Save note").click()

    expect(page.get_by_label("Title")).to_have_accessible_description(
        "Up to 120 characters. Error: This contains characters that cannot be shown."
    )
