"""Small helps of the pages: what is copied, kept as a file, counted while it is typed, and sent by itself."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Request, expect

from app import db
from e2e.support.people import sign_in
from e2e.test_second_factor import enter, turn_on
from tests.support.people import Person
from tests.support.server import Server


def clipboard(page: Page) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def may_read_the_clipboard(context: BrowserContext, server: Server) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)


def test_recovery_codes_are_copied_kept_as_a_file_and_printed(page: Page, server: Server, person: Person) -> None:
    may_read_the_clipboard(page.context, server)
    sign_in(page.context, server, person)
    codes = turn_on(page).recovery_codes

    page.get_by_role("button", name="Copy").click()
    expect(page.locator("[aria-live=polite]").filter(has_text="Copied")).to_be_attached()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    page.evaluate("window.print = () => { document.title = 'printed' }")
    page.get_by_role("button", name="Print").click()

    assert clipboard(page).split() == codes
    assert download.value.suggested_filename == "lanyard-recovery-codes.txt"
    assert Path(download.value.path()).read_text() == "Lanyard recovery codes\n\n" + "\n".join(codes) + "\n"
    expect(page).to_have_title("printed")


def test_recovery_codes_are_kept_as_a_file_without_a_script(
    new_context: Callable[..., BrowserContext], server: Server, person: Person
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page.context, server, person)
    codes = turn_on(page).recovery_codes

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()

    assert Path(download.value.path()).read_text().split()[3:] == codes
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)


def test_paper_with_recovery_codes_has_the_codes_and_no_buttons(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    turn_on(page)

    page.emulate_media(media="print")

    expect(page.locator(".codes code").last).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    expect(page.get_by_role("link", name="Download")).to_have_count(0)


def test_secret_of_the_authenticator_is_copied(page: Page, server: Server, person: Person) -> None:
    may_read_the_clipboard(page.context, server)
    sign_in(page.context, server, person)
    page.goto("/account/second-factor")

    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(page) == page.locator("code.secret").text_content()


def test_clipboard_that_refuses_is_reported(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/account/second-factor")
    page.evaluate("() => { Clipboard.prototype.writeText = () => Promise.reject(new Error()) }")

    page.get_by_role("button", name="Copy").click()

    expect(page.locator("[aria-live=polite]").filter(has_text="Not copied: select the text")).to_be_attached()


def test_six_digits_send_the_form_once(page: Page, server: Server, person: Person) -> None:
    sent: list[str] = []
    sign_in(page.context, server, person)
    phone = turn_on(page)
    page.context.clear_cookies()
    page.goto("/login")
    enter(page, person)
    field = page.get_by_label("Code", exact=True)
    expect(field).to_have_attribute("inputmode", "numeric")

    def count(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.url)

    page.on("request", count)
    field.press_sequentially(phone.shows(db.utcnow(), seconds=30))
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")
    assert len(sent) == 1


def test_wrong_code_that_was_sent_by_itself_is_corrected_by_hand(page: Page, server: Server, person: Person) -> None:
    """Back on the page that the browser kept, nothing is sent before the button is pressed."""
    sign_in(page.context, server, person)
    phone = turn_on(page)
    page.context.clear_cookies()
    page.goto("/login")
    enter(page, person)
    page.get_by_label("Code", exact=True).press_sequentially("000000")
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")

    page.get_by_label("Code", exact=True).press_sequentially(phone.shows(db.utcnow(), seconds=30))

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")


def test_new_password_is_counted_while_it_is_typed(page: Page) -> None:
    page.goto("/register")
    field, counted = page.get_by_label("Password", exact=True), page.locator(".length").filter(visible=True)

    field.press_sequentially("ten chars!")
    expect(counted).to_have_text("10 of at least 15 characters")
    field.press_sequentially("and more")
    expect(page.locator("[aria-live=polite]").filter(has_text="Long enough.")).to_be_visible()
    field.fill("a" * 20)
    expect(page.locator("[aria-live=polite]").filter(has_text="easy to guess")).to_be_visible()
    field.fill("")
    expect(page.get_by_text("Long enough")).to_have_count(0)


def test_password_of_a_sign_in_is_not_counted(page: Page) -> None:
    page.goto("/login")

    page.get_by_label("Password", exact=True).press_sequentially("short")

    expect(page.locator(".length")).to_have_count(0)


def test_caps_lock_is_pointed_out(page: Page) -> None:
    page.goto("/login")
    field = page.get_by_label("Password", exact=True)
    field.focus()

    field.evaluate("(at) => at.dispatchEvent(new KeyboardEvent('keydown', { key: 'A', modifierCapsLock: true }))")
    expect(page.get_by_text("Caps Lock is on.")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("Caps Lock is on.")).to_have_count(0)


def test_limits_of_the_server_are_in_the_fields(page: Page, server: Server, person: Person) -> None:
    """But not in passwords: the browser would cut off what is pasted, and say nothing."""
    sign_in(page.context, server, person)
    page.goto("/account")
    expect(page.get_by_label("Name")).to_have_attribute("maxlength", "80")
    page.goto("/account/email")
    expect(page.get_by_label("New e-mail address")).to_have_attribute("maxlength", "254")
    assert page.get_by_label("Password", exact=True).get_attribute("maxlength") is None


# learn:
def test_code_of_a_chapter_is_copied_without_prompt_and_output(page: Page, server: Server) -> None:
    may_read_the_clipboard(page.context, server)
    page.goto("/learn/build/login-over-json")
    console = page.locator("figure.code").filter(has_text="$ ").first
    lines = (console.locator("pre").text_content() or "").splitlines()

    console.get_by_role("button", name="Copy").click()

    expect(console.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(page).splitlines()[0] == next(line for line in lines if line.startswith("$ "))[2:]
    assert "$ " not in clipboard(page)


# /learn
