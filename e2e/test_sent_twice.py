"""Double click, and Enter twice, on every form of the site, over a slow network, with script and without it.

The forms are found by following links, and what a single click does is measured: the other ways must do the same in
every table, and show the same page. So a form that is added is in, and fails here until there is a way to it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Page, Request, Response

from app import db
from app.audit.models import event_rows
from app.auth import redirects
from app.auth.models import user_rows
from app.email import sender
from app.email.models import email_rows
from app.web import features
from e2e.conftest import PATIENCE
from e2e.support import forms
from e2e.support.people import let_an_hour_pass, sign_in
from e2e.support.slow_line import SlowLine, slow_line
from e2e.support.worlds import WORLDS, MakeWorld, World
from e2e.test_passkeys import Phone as Device
from e2e.test_passkeys import add as add_passkey
from tests.support import server as servers
from tests.support.people import PASSWORD
from tests.support.phone import Phone
from tests.support.server import Server, free_port

pytestmark = pytest.mark.long

CLICK, DOUBLE_CLICK, ENTER_TWICE = "click", "double click", "Enter twice"
GAP = 40  # milliseconds between the two: submissions of one moment are one to the browser
NEW_PASSWORD = "wrong zebra paperclip sonata"
KNOWN_ADDRESS = ("/login", "/forgot-password")  # every other form wants an address that is new
# Shown by the answer to another form alone, so no link leads there: where the first of the two is sent.
SHOWN_BY = {"/account/second-factor/recovery-codes/saved": "/account/second-factor/recovery-codes"}
ADDS_A_DEVICE = ("/account/passkeys", redirects.PASSKEY_OFFER)
SIGNED_BY_A_DEVICE = (*ADDS_A_DEVICE, "/login/passkey", "/step-up/passkey")  # a script has to ask it
# Counted are effects: not how often something was tried, nor the rows of the mechanism itself.
UNCOUNTED = {"throttle_counters", "form_submissions"}


class Outcome(NamedTuple):
    """What was shown in the end, or the name of the file that came; and how many rows came or went."""

    shown: tuple[Any, ...]
    rows: dict[str, int]


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Server, SlowLine]]:
    port, upstream = free_port(), free_port()
    variables = {"PORT": str(upstream), "PUBLIC_ORIGIN": f"http://localhost:{port}"}
    running = servers.running(APP_ADDRESS_EMAILS_PER_HOUR="10000", **variables)
    with running as server, slow_line(port, upstream) as line:
        yield server, line


class Try:
    """One way to send one form, by somebody made for it in a browser of their own. `sent`: how often the form was."""

    def __init__(self, site: tuple[Server, SlowLine], browser: Browser, route: str, *, script: bool) -> None:
        self.server, self.line = site
        self.route = route
        self.context = browser.new_context(base_url=self.line.origin, java_script_enabled=script)
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.ended: list[str] = []
        self.statuses: list[int] = []
        self.sent = 0
        self.page.on("download", lambda download: self.ended.append(download.suggested_filename))
        self.page.on("domcontentloaded", lambda _: self.ended.append(""))
        self.page.on("response", self._note_status)
        self.page.on("request", self._note_sending)

    def open(self, make: MakeWorld, via: tuple[str, ...]) -> Locator:
        """The button that is found in that world by that way."""
        self.world = self.server.run(make)
        if self.route == "/dev/sign-in":
            self.server.run(demo_accounts_were_used)
        found = buttons(self.server, self.world, via)
        button = next(each for each in found if self._leads_there(each, SHOWN_BY.get(self.route)))
        attributes: Any = {"secure": True, "httpOnly": True, "sameSite": "Strict", "url": "https://localhost"}
        self.context.add_cookies([{"name": name, "value": text, **attributes} for name, text in self.world.jar.items()])
        if self.route in SIGNED_BY_A_DEVICE:
            self._bring_a_device()
        self.page.goto(button.page)
        shown = self.page.locator(button.selector).first
        for closed in shown.locator("xpath=ancestor::details[not(@open)]/summary").all():
            closed.click()
        return self.go_on(shown) if self.route in SHOWN_BY else shown

    def go_on(self, button: Locator) -> Locator:
        """Sends the form before this one, whose answer shows it; the button there."""
        self.fill_in(button)
        button.click()
        self.page.wait_for_load_state()
        found = forms.buttons_on("", self.page.content())
        return self.page.locator(next(each for each in found if self._leads_there(each)).selector)

    def fill_in(self, button: Locator) -> None:
        for box in (
            button.locator("xpath=ancestor::form")
            .locator("input:visible:not([type=radio], [type=checkbox]), textarea:visible")
            .all()
        ):
            if text := self._text(box):
                box.fill(text)

    def send(self, button: Locator, how: str) -> None:
        self.ended.clear()
        self.sent = 0
        with self.line.slow():
            if how == CLICK:
                button.click()
            elif how == DOUBLE_CLICK:
                button.dblclick(delay=GAP)
            else:
                typed = button.locator("xpath=ancestor::form").locator("input:visible")
                (button if button.get_attribute("formaction") or not typed.count() else typed.first).focus()
                self.page.keyboard.press("Enter", delay=GAP)
                self.page.keyboard.press("Enter")
            while not self.ended:
                self.page.wait_for_timeout(20)  # lets the browser be heard
        self.page.wait_for_load_state()

    def shown(self) -> tuple[Any, ...]:
        if file := self.ended[-1]:
            return "download", re.sub(r"\d", "#", file)
        address = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", self.page.url.removeprefix(self.line.origin))
        said = (self.page.locator(each).all_text_contents() for each in ("h1", "main [role=alert]", ".notice"))
        return self.statuses[-1], re.sub(r"token=[^&]*", "token=", address), *said

    def _bring_a_device(self) -> None:
        Device(self.page)
        if self.route in ADDS_A_DEVICE:
            return
        sign_in(self.context, self.server, self.world.person)
        add_passkey(self.page)
        self.page.wait_for_url("**notice=passkey_added")
        if self.route == "/login/passkey":
            self.context.clear_cookies()
        else:
            let_an_hour_pass(self.context)

    def _text(self, box: Locator) -> str:
        kind, autocomplete = box.get_attribute("type"), box.get_attribute("autocomplete")
        if kind == "password":
            return NEW_PASSWORD if autocomplete == "new-password" else PASSWORD
        if kind == "email":
            return self.world.person.email if self.route in KNOWN_ADDRESS else f"{db.uuid7()}@example.com"
        if autocomplete == "one-time-code":
            if self.world.phone:
                return self.world.phone.recovery_codes[0]
            return Phone((self.page.locator("code.secret").text_content() or "").replace(" ", "")).shows(
                datetime.now(UTC)
            )
        return "Zoë Zuse" if kind else "" if box.input_value() else "A line."

    def _leads_there(self, button: forms.Button, route: str | None = None) -> bool:
        return forms.route_of(button.action) == (route or self.route)

    def _note_status(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self.statuses.append(response.status)

    def _note_sending(self, request: Request) -> None:
        address = request.url.removeprefix(self.line.origin)
        self.sent += request.method == "POST" and forms.route_of(address) == self.route


async def demo_accounts_were_used() -> None:
    """Nobody is made for these, and an account that was never used knows every device."""
    everybody = sa.update(user_rows).where(user_rows.c.last_login.is_(None))
    await db.execute(everybody.values(last_login=db.utcnow()))


def buttons(server: Server, world: World, via: tuple[str, ...] = ()) -> Iterator[forms.Button]:
    cookie = "; ".join(f"{name}={value}" for name, value in world.jar.items())
    with httpx.Client(base_url=server.url, headers={"Cookie": cookie, "Accept": "text/html"}) as reader:
        yield from forms.buttons(reader, world.roots, via)


def rows(server: Server) -> Counter[str]:
    """In each table, of events and e-mails those of each kind, too; once every e-mail that is due has been sent."""
    count = sa.func.count()

    async def counted() -> Counter[str]:
        while await sender.send_due(features.table("emails")):
            pass
        tables = [model.table for model in db.registry.models.values() if model.table.name not in UNCOUNTED]
        found = Counter({table.name: await db.fetch_value(sa.select(count).select_from(table)) for table in tables})
        for column in (event_rows.c.event, email_rows.c.kind):
            kinds = await db.fetch_all(sa.select(column, count).group_by(column))
            found |= Counter({f"{column.table.name}: {kind}": number for kind, number in kinds})
        return found

    return server.run(counted)


@pytest.fixture(scope="module")
def outcome(site: tuple[Server, SlowLine], browser: Browser) -> Callable[..., Outcome]:
    """`outcome(route, CLICK, script=True)`: what that does. The same again is not tried again."""
    server, found = site[0], dict[str, tuple[MakeWorld, tuple[str, ...]]]()
    for make in WORLDS:
        for button in buttons(server, server.run(make)):
            found.setdefault(forms.route_of(button.action), (make, button.via))

    @cache
    def of(route: str, how: str, *, script: bool) -> Outcome:
        attempt = Try(site, browser, route, script=script)
        first = SHOWN_BY.get(route, route)
        assert first in found, "no page shows a form for it: give one of the worlds what leads there"
        button = attempt.open(*found[first])
        attempt.fill_in(button)
        before = rows(attempt.server)
        attempt.send(button, how)
        change = rows(attempt.server)
        change.subtract(before)
        for name in [name for name, number in change.items() if number < 0 and name.startswith(email_rows.name)]:
            del change[name]  # maintenance deletes old e-mails five minutes after the start; no form does
        # Without a script the browser sends both, else this would show nothing. With it one is sent.
        assert attempt.sent == (1 if script or how == CLICK else 2)
        shown = attempt.shown()
        attempt.context.close()
        return Outcome(shown, {name: number for name, number in change.items() if number})

    return of


@pytest.mark.parametrize("script", [False, True], ids=["without a script", "with it"])
@pytest.mark.parametrize("how", [DOUBLE_CLICK, ENTER_TWICE])
@pytest.mark.parametrize("route", forms.routes())
def test_form_that_is_sent_twice_does_what_one_click_does(
    outcome: Callable[..., Outcome], route: str, how: str, script: bool
) -> None:
    if route in SIGNED_BY_A_DEVICE and not script:
        pytest.skip("without a script the form is hidden")
    once = outcome(route, CLICK, script=route in SIGNED_BY_A_DEVICE)
    assert once.shown[0] == "download" or once.shown[0] < 400, once

    twice = outcome(route, how, script=script)

    assert twice == once
