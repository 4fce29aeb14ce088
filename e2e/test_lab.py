"""The Token Lab in a browser: every page, with and without JavaScript, in both colour schemes and on a phone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app.learn.lab import attacks, scenarios
from app.learn.lab.attacks import Attack
from e2e.support.people import cookie, sign_in
from e2e.test_every_page import NARROW, PHONE, grumble, violations
from tests.support.people import Person
from tests.support.server import Server

pytestmark = pytest.mark.long

LAB = "/learn/lab"


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def edit(page: Page) -> None:
    page.goto(f"{LAB}/inspector")
    payload = page.get_by_label("Payload")
    payload.fill(payload.input_value().replace('"user"', '"admin"'))
    press(page, "Check the token")
    expect(page.get_by_role("status").filter(has_text="Refused: check 6 of 19 fails, Signature.")).to_be_visible()
    expect(page.get_by_label("Payload")).to_have_value(re.compile('"admin"'))


def edit_badly(page: Page) -> None:
    page.goto(f"{LAB}/inspector")
    page.get_by_label("Header").fill("no object")
    press(page, "Check the token")
    expect(page.get_by_role("alert")).to_contain_text("Enter a JSON object.")


def mint(page: Page) -> None:
    page.goto(f"{LAB}/inspector")
    page.get_by_label("Role claim").fill("astronaut")
    press(page, "Create and decode")
    expect(page.get_by_text("Three decoders")).to_be_visible()


def run(page: Page, name: str) -> None:
    page.goto(f"{LAB}/attacks/{name}")
    press(page, "Run it")
    expect(page.get_by_role("heading", name="Requests and responses")).to_be_visible()


def wind(page: Page) -> None:
    """The scenario "The attacker refreshes first", by buttons."""
    page.goto(f"{LAB}/time-machine")
    press(page, "Copy the cookies")
    press(page, "+ 16 min")
    press(page, "Open a page")
    press(page, "Wait")
    press(page, "+ 16 min")
    press(page, "Open a page in tab 1")
    expect(page.get_by_role("status").filter(has_text="an old token was used again")).to_be_visible()


# Name -> whether the reader is signed in, and the steps to the page.
EXHIBITS: dict[str, tuple[bool, Callable[[Page], Any]]] = {
    "front page": (False, lambda page: page.goto(LAB)),
    "inspector, invitation": (False, lambda page: page.goto(f"{LAB}/inspector")),
    "inspector": (True, lambda page: page.goto(f"{LAB}/inspector")),
    "inspector, edited": (True, edit),
    "inspector, edited badly": (True, edit_badly),
    "inspector, sample": (False, mint),
    "session history, invitation": (False, lambda page: page.goto(f"{LAB}/family")),
    "session history": (True, lambda page: page.goto(f"{LAB}/family")),
    "attacks": (True, lambda page: page.goto(f"{LAB}/attacks")),
    "attack": (True, lambda page: page.goto(f"{LAB}/attacks/expired")),
    "attack, forged": (True, lambda page: run(page, "key-confusion")),
    "attack, exchange": (True, lambda page: run(page, "stale-refresh")),
    "attack, script": (True, lambda page: run(page, "script-reads-cookies")),
    "time machine": (False, lambda page: page.goto(f"{LAB}/time-machine")),
    "time machine, scenario": (True, lambda page: page.goto(f"{LAB}/time-machine?moves={scenarios.ALL[3].moves}")),
    "time machine, by buttons": (False, wind),
}


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_exhibit_is_accessible_in_both_colour_schemes_and_on_a_phone(
    new_context: Callable[..., BrowserContext], server: Server, person: Person, complaints: list[str], exhibit: str
) -> None:
    signed_in, steps = EXHIBITS[exhibit]
    context = new_context(reduced_motion="reduce", color_scheme="light")
    if signed_in:
        sign_in(context, server, person)
    page = context.new_page()
    page.on("console", lambda message: grumble(message, complaints))

    steps(page)
    light = violations(page)
    page.emulate_media(color_scheme="dark")
    dark = violations(page)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    phone = violations(page)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert (light, dark, phone, too_wide) == ("", "", "", 0)


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_exhibit_works_without_javascript(
    new_context: Callable[..., BrowserContext], server: Server, person: Person, exhibit: str
) -> None:
    signed_in, steps = EXHIBITS[exhibit]
    context = new_context(java_script_enabled=False)
    if signed_in:
        sign_in(context, server, person)

    steps(context.new_page())


@pytest.mark.parametrize("attack", attacks.ALL, ids=lambda attack: attack.name)
def test_attack_is_run_by_its_button_and_does_not_touch_the_reader(
    page: Page, server: Server, person: Person, attack: Attack
) -> None:
    pair = sign_in(page.context, server, person)
    page.goto(f"{LAB}/attacks")
    page.get_by_role("link", name=attack.title, exact=True).click()

    press(page, "Run it")

    works = "The requests succeed, and the user stays signed in." if attack.innocent else "The attack fails."
    expect(page.get_by_role("status")).to_contain_text(works)
    assert cookie(page.context, "refresh") == pair.refresh_token
    page.goto("/dashboard")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello, {person.name}")


def test_token_in_the_page_lacks_its_signature(page: Page, server: Server, person: Person) -> None:
    """Everything that a script could read: the document and the value of every field."""
    pair = sign_in(page.context, server, person)
    edit(page)

    readable = page.content() + page.evaluate(
        "[...document.querySelectorAll('input, textarea')].map(field => field.value).join()"
    )

    assert pair.access_token.split(".")[1] in readable
    assert pair.access_token.rpartition(".")[2] not in readable
    assert pair.refresh_token.rpartition(".")[2] not in readable


def test_countdown_runs_and_sliders_show_their_value(page: Page, server: Server, person: Person) -> None:
    sign_in(page.context, server, person)
    page.clock.install()
    page.goto(f"{LAB}/inspector")
    before = page.locator("[data-until]").first.inner_text()
    page.clock.run_for(5_000)  # milliseconds of its own clock
    assert page.locator("[data-until]").first.inner_text() != before

    page.goto(f"{LAB}/time-machine")
    page.get_by_label("Lost responses in percent").press("End")

    expect(page.locator("output").last).to_have_text("90")


def test_signing_in_from_the_lab_leads_back_to_the_same_page(page: Page, person: Person) -> None:
    page.goto(f"{LAB}/inspector")
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)
    press(page, "Sign in")

    expect(page.get_by_role("heading", name="Your two cookies")).to_be_visible()


def test_scenario_is_a_link_that_is_marked_as_current(page: Page) -> None:
    page.goto(LAB)
    page.get_by_role("link", name="Time machine", exact=True).first.click()

    page.get_by_role("link", name="Two tabs").click()

    expect(page.get_by_role("link", name="Two tabs")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("img", name="The generations of this session")).to_be_visible()
    page.get_by_text("Show as a table").click()
    expect(page.get_by_role("table")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="same pair again")).to_contain_text("Tab 2")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scripts", [True, False])
def test_picture_of_the_time_machine_stays_in_view_and_the_focus_where_it_was(
    new_context: Callable[..., BrowserContext], width: int, scripts: bool
) -> None:
    page = new_context(java_script_enabled=scripts, viewport={"width": width, "height": 800}).new_page()
    page.goto(f"{LAB}/time-machine")
    picture = page.get_by_role("region", name="The generations of this session")

    for pressed in range(8):
        button = page.get_by_role("button", name="+ 16 min" if pressed % 2 else "Open a page in tab 1")
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**moves={'1-w960-' * (pressed // 2)}{'1-w960' if pressed % 2 else '1'}&**")
        expect(button).to_be_focused()
        at = button.bounding_box()
        assert at
        corner = [at["x"] + 9, at["y"] + 9]
        assert button.evaluate("(button, at) => document.elementFromPoint(...at) === button", corner), "it is covered"
        expect(picture).to_be_in_viewport(ratio=0.6)

    expect(picture.locator(".history-number").last).to_be_in_viewport()
