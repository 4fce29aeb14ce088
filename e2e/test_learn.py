"""The tutorial in a browser: every chapter in reading order, its navigation and its accessibility."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.learn import chapters
from e2e.support.people import sign_in
from e2e.test_every_page import NARROW, PHONE, grumble, violations
from tests.support.people import Person
from tests.support.server import Server

pytestmark = pytest.mark.long

CHAPTERS = chapters.chapters()


def test_front_page_and_header_lead_to_the_tutorial(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Read how it is built").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Learn")

    page.goto("/login")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Learn").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Learn")


def test_walk_through_every_chapter(page: Page, complaints: list[str]) -> None:
    """From the contents by "Next" to the last chapter, with an empty console."""
    page.on("console", lambda message: grumble(message, complaints))
    page.goto("/learn")
    page.get_by_role("link", name=CHAPTERS[0].title, exact=True).click()

    for before, after in pairwise(CHAPTERS):
        expect(page.get_by_role("heading", level=1)).to_have_text(before.title)
        turn = page.get_by_role("navigation", name="Previous and next chapter")
        turn.get_by_role("link", name=f"Next {after.title}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(CHAPTERS[-1].title)
    expect(page.get_by_role("link", name="Next")).to_have_count(0)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_chapter_is_accessible_in_both_colour_schemes_and_on_a_phone(
    new_context: Callable[..., BrowserContext], chapter: chapters.Chapter
) -> None:
    page = new_context(reduced_motion="reduce", color_scheme="light").new_page()
    page.goto(f"/learn/{chapter.slug}")

    light = violations(page)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    dark_phone = violations(page)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert (light, dark_phone, too_wide) == ("", "", 0)


@pytest.mark.parametrize("address", ["/learn/build", "/learn/build/login-over-json"])
def test_course_is_accessible_and_its_answer_opens_by_keyboard(
    new_context: Callable[..., BrowserContext], address: str
) -> None:
    page = new_context(reduced_motion="reduce", color_scheme="light").new_page()
    page.goto(address)
    for answer in page.locator("summary").all():
        answer.press("Enter")
        expect(page.get_by_text("Count the failures of an address")).to_be_visible()

    light = violations(page)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    dark_narrow = violations(page)
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert (light, dark_narrow, too_wide) == ("", "", 0)


def test_walk_through_every_step_of_the_course(page: Page) -> None:
    steps = chapters.steps()
    page.goto("/learn")
    page.get_by_role("link", name="Build it").click()
    page.get_by_role("link", name=steps[0].title, exact=True).click()

    for before, after in pairwise(steps):
        expect(page.get_by_role("heading", level=1)).to_have_text(before.title)
        turn = page.get_by_role("navigation", name="Previous and next step")
        turn.get_by_role("link", name=f"Next {after.title}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(steps[-1].title)


def test_reader_finds_the_code_the_test_and_the_pattern_of_a_chapter(page: Page) -> None:
    page.goto("/learn/rotation-and-reuse")
    page.get_by_role("link", name="app/auth/sessions/rotation_policy.py").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("app/auth/sessions/rotation_policy.py")
    expect(page.locator(":target")).to_contain_text("def decide(")

    page.go_back()
    page.get_by_role("link", name="test_without_an_attacker_no_session_is_ever_ended").click()
    expect(page.locator(":target")).to_contain_text("@given")

    page.go_back()
    page.get_by_role("link", name="refresh-endpoint").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("refresh-endpoint")
    expect(page.get_by_role("heading", name="The right form")).to_be_visible()


def test_chapters_and_their_sections_are_reached_from_the_side(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.goto("/learn/permissions")
    side = page.get_by_role("navigation", name="Chapters")
    expect(side.get_by_role("link", name="Permissions", exact=True)).to_have_attribute("aria-current", "page")

    side.get_by_role("link", name="Roles are one table").click()
    expect(page.locator(":target")).to_have_text("Roles are one table")

    side.get_by_role("link", name="Keys", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys")


def test_code_is_scrolled_by_keyboard(new_context: Callable[..., BrowserContext]) -> None:
    page = new_context(viewport=PHONE).new_page()
    page.goto("/learn/keys")
    code = page.locator("figure pre").first

    code.focus()
    page.keyboard.press("ArrowRight")

    expect(code).to_be_focused()
    page.wait_for_function("document.querySelector('figure pre').scrollLeft > 0")
