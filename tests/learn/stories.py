"""The pictures in the chapters: each story is played with the real application, and written down as it happens.

What is written is a sequence diagram in a small part of Mermaid's language, so that readers of the Markdown see it
drawn as well; `app.learn.drawing` draws it for the pages. In square brackets: the tokens that a message carries, with
their generations. Notes are what the session's row and the audit log say afterwards.
"""

import re
from collections.abc import Awaitable, Callable
from html import unescape
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth import cookies
from app.auth.models import session_rows
from app.auth.sessions import session_cache
from tests.support import forge, mailbox
from tests.support.bound import BoundDevice, offered, wanted
from tests.support.clock import Clock
from tests.support.environment import ORIGIN
from tests.support.people import PASSWORD, Person, make_user
from tests.support.visitor import Visitor

TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
APPLICATION, MAILBOX = "A", "M"
_Teller = Callable[["Story"], Awaitable[None]]
_tellers: dict[str, _Teller] = {}


class Story:
    """One run: who takes part, and what happened. `clock` stands still until the story moves it."""

    def __init__(self, app: Any, person: Person, clock: Clock) -> None:
        self.app, self.person, self.clock = app, person, clock
        self._names: dict[str, str] = {}
        self._lines: list[str] = []
        self._text = ""
        self._rows: dict[UUID, str] = {}
        self._events, self._emails = 0, 0

    @property
    def text(self) -> str:
        """What is written: the diagram, unless the story has a form of its own."""
        if self._text:
            return self._text
        names = [f"participant {sign} as {name}" for sign, name in self._names.items()]
        return "\n    ".join(["sequenceDiagram", *names, *self._lines])

    @text.setter
    def text(self, text: str) -> None:
        self._text = text

    def person_at(self, sign: str, name: str) -> "Actor":
        """A browser or a program of this name. The application stands right of the first one."""
        self._names[sign] = name
        return Actor(self, sign)

    def place(self, sign: str, name: str) -> None:
        self._names[sign] = name

    def note(self, sign: str, text: str) -> None:
        self._lines.append(f"Note over {sign}: {text}")

    def later(self, text: str, sign: str = "B", **time: float) -> None:
        self.clock.forward(**time)
        self.note(sign, text)

    async def message(self, sign: str, answer: httpx.Response, lost: bool, at: str) -> None:
        request = answer.request
        sent = _tokens(request.headers.get("cookie", "") + request.headers.get("authorization", "") + _body(request))
        if "secure-session-response" in request.headers:
            sent = [*sent, "signature of the device"]
        path = ID.sub("{sid}", request.url.path)
        self._lines.append(f"{sign}->>{at}: {request.method} {path}{_bracketed(sent)}")
        got = _tokens(" ".join(answer.headers.get_list("set-cookie")) + _body(answer))
        if wanted(answer) or offered(answer):
            got = [*got, "challenge"]
        where = answer.headers.get("location", "").partition("?")[0]
        title = re.search(r"<title>(.*?)(?: · .*)?</title>", answer.text)
        what = f"{answer.status_code} {where or (unescape(title[1]) if title else '')}".strip() + _bracketed(got)
        self._lines.append(f"{at}{'--x' if lost else '-->>'}{sign}: {what}{', lost on the way' if lost else ''}")
        await self._consequences(at)

    async def _consequences(self, at: str) -> None:
        """Notes of what the row, the audit log and the mailbox have now and had not before."""
        mine = sa.select(session_rows).where(session_rows.c.user_id == self.person.id)
        for row in await db.fetch_all(mine.order_by(session_rows.c.created_at)):
            said = f"session row: generation {row.generation}, confirmed {row.confirmed}"
            said += ", bound to a device" if row.device_key else ""
            said = "session row: ended" if row.revoked_at else said
            if said != self._rows.get(row.id):
                self._rows[row.id] = said
                self.note(at, said)
        found = sa.select(event_rows).where(event_rows.c.user_id == self.person.id).order_by(event_rows.c.id)
        events = await db.fetch_all(found)
        for event in events[self._events :]:
            self.note(at, f"audit log: {event.event}")
        self._events = len(events)
        emails = await mailbox.emails_to(self.person.email)
        for email in emails[self._emails :]:
            self._names.setdefault(MAILBOX, "Mailbox")
            self._lines.append(f"{at}->>{MAILBOX}: {email.subject}")
        self._emails = len(emails)


class Actor:
    """Somebody who sends requests, with a cookie jar."""

    def __init__(self, story: Story, sign: str) -> None:
        self.story, self.sign, self.jar = story, sign, Visitor(story.app)

    async def visit(self, path: str, **options: Any) -> httpx.Response:
        return await self._told(self.jar.visit(path), **options)

    async def submit(self, path: str, fields: dict[str, str] | None = None, **options: Any) -> httpx.Response:
        return await self._told(self.jar.submit(path, fields), **options)

    async def renew(self, path: str, proof: str = "") -> httpx.Response:
        """What the browser sends by itself for a device-bound session."""
        headers = {"Accept": "*/*", "Sec-Secure-Session-Id": "session"}
        headers |= {"Secure-Session-Response": proof} if proof else {}
        return await self._told(self.jar.post(path, headers=headers))

    async def sign_in(self) -> httpx.Response:
        form = {"email": self.story.person.email, "password": PASSWORD, "next": "/account"}
        return await self.submit("/login", form)

    def takes_the_cookies_of(self, other: "Actor") -> None:
        for name in (cookies.access_name(), cookies.refresh_name()):
            if value := other.jar.cookie(name):
                self.jar.put_cookie(name, value)

    def access_expires(self) -> None:
        self.jar.drop_cookie(cookies.access_name())

    async def _told(self, sending: Awaitable[httpx.Response], *, lost: bool = False, at: str = APPLICATION) -> Any:
        kept = [(each.name, each.value) for each in self.jar.cookies.jar]
        answer = await sending
        if lost:
            self.jar.cookies.clear()
            for name, value in kept:
                self.jar.put_cookie(name, value or "")
        await self.story.message(self.sign, answer, lost, at)
        return answer


def story(name: str) -> Callable[[_Teller], _Teller]:
    def keep(teller: _Teller) -> _Teller:
        _tellers[f"picture-{name}"] = teller
        return teller

    return keep


async def record(app: Any) -> dict[str, str]:
    """Every picture by its name. Needs a connected database."""
    told = {}
    for name, teller in _tellers.items():
        person = await make_user()
        with pytest.MonkeyPatch.context() as patched:
            clock = Clock(patched)
            with clock.over_the_database():
                session_cache.clear()
                await mailbox.delivered()
                one = Story(app, person, clock)
                await teller(one)
        session_cache.clear()
        told[name] = one.text
    return told


def _tokens(text: str) -> list[str]:
    """The tokens in it: "access 1", "refresh 1"."""
    claims = [forge.claims(raw) for raw in dict.fromkeys(TOKEN.findall(text))]
    return sorted(f"{each['token_type']} {each['gen']}" for each in claims if "gen" in each)


def _bracketed(tokens: list[str]) -> str:
    return f" [{', '.join(tokens)}]" if tokens else ""


def _body(message: httpx.Request | httpx.Response) -> str:
    kind = message.headers.get("content-type", "")
    return message.content.decode() if "json" in kind else ""


async def _browser(tale: Story) -> Actor:
    browser = tale.person_at("B", "Browser")
    tale.place(APPLICATION, "Application")
    return browser


async def _signed_in(tale: Story) -> Actor:
    """A browser that has just signed in and loaded a page."""
    browser = await _browser(tale)
    await browser.sign_in()
    await browser.visit("/account")
    return browser


@story("sign-in")
async def sign_in(tale: Story) -> None:
    browser = await _browser(tale)
    await browser.visit("/login")
    await browser.sign_in()
    await browser.visit("/account")


@story("resume-page")
async def resume_page(tale: Story) -> None:
    browser = await _signed_in(tale)
    tale.later("16 minutes later the access token has expired", minutes=16)
    browser.access_expires()
    asked = await browser.visit("/account")
    back = await browser.visit(asked.headers["location"])
    await browser.visit(back.headers["location"])


@story("resume-form")
async def resume_form(tale: Story) -> None:
    browser = await _signed_in(tale)
    tale.later("16 minutes later the access token has expired", minutes=16)
    browser.access_expires()
    form = {"name": "Robin of the Hood"}
    answer = await browser.submit("/account", form)
    for _ in range(2):
        answer = await browser.submit(answer.headers["location"].removeprefix(ORIGIN), form)
    await browser.visit(answer.headers["location"])


@story("generations")
async def generations(tale: Story) -> None:
    """The frames of a drawing: after each step the row, and which pair the browser and an attacker hold."""
    browser, attacker = await _browser(tale), tale.person_at("X", "Attacker")
    frames = []

    async def frame(text: str) -> None:
        [row] = await db.fetch_all(sa.select(session_rows).where(session_rows.c.user_id == tale.person.id))
        held = [(name, _held(who)) for name, who in (("browser", browser), ("attacker", attacker)) if _held(who)]
        said = [
            f"generation {row.generation}",
            f"confirmed {row.confirmed}",
            *(f"{name} {pair}" for name, pair in held),
        ]
        frames.append(f"{text}: {', '.join(said)}{', ended' if row.revoked_at else ''}")

    await browser.sign_in()
    await frame("The user signs in")
    await browser.visit("/account")
    await frame("The first request shows that the browser has the pair")
    attacker.takes_the_cookies_of(browser)
    await frame("An attacker copies the cookies")
    for time in ("The access token expires, and the browser refreshes", "16 minutes later it refreshes again"):
        tale.clock.forward(minutes=16)
        browser.access_expires()
        await browser.visit("/auth/resume?next=/account")
        await frame(time)
        await browser.visit("/account")
        await frame("The next request confirms that pair")
    attacker.access_expires()
    await attacker.visit("/auth/resume?next=/account")
    await frame("The attacker presents the first pair, and the session ends for both")
    tale.text = "\n".join(frames)


def _held(who: Actor) -> int:
    raw = who.jar.cookie(cookies.refresh_name())
    return int(forge.claims(raw)["gen"]) if raw else 0


@story("two-tabs")
async def two_tabs(tale: Story) -> None:
    one = tale.person_at("B", "Tab 1")
    tale.place(APPLICATION, "Application")
    other = tale.person_at("T", "Tab 2")
    await one.sign_in()
    await one.visit("/account")
    tale.later("16 minutes later both tabs load a page", minutes=16)
    one.access_expires()
    other.takes_the_cookies_of(one)
    asked = [await tab.visit("/account") for tab in (one, other)]
    for tab, answer in zip((one, other), asked, strict=True):
        await tab.visit(answer.headers["location"])
    for tab in (one, other):
        await tab.visit("/account")


@story("lost-answer")
async def lost_answer(tale: Story) -> None:
    browser = await _signed_in(tale)
    tale.later("16 minutes later the access token has expired", minutes=16)
    browser.access_expires()
    await browser.visit("/auth/resume?next=/account", lost=True)
    tale.later("an hour later the browser still has the old token", hours=1)
    await browser.visit("/auth/resume?next=/account")
    await browser.visit("/account")


@story("theft")
async def theft(tale: Story) -> None:
    browser = await _signed_in(tale)
    attacker = tale.person_at("X", "Attacker")
    attacker.takes_the_cookies_of(browser)
    tale.note("X", "copies the cookies")
    tale.later("the owner goes on", minutes=16)
    for _ in range(2):
        browser.access_expires()
        await browser.visit("/auth/resume?next=/account")
        await browser.visit("/account")
        tale.clock.forward(minutes=16)
    attacker.access_expires()
    await attacker.visit("/auth/resume?next=/account")
    answer = await browser.visit("/account")
    await browser.visit(answer.headers["location"])


@story("revocation")
async def revocation(tale: Story) -> None:
    """Two workers: each has a cache of its own, and one database."""
    caches = {"A": session_cache.SessionCache(), "W": session_cache.SessionCache()}

    async def at(worker: str) -> dict[str, str]:
        session_cache._cache = caches[worker]
        return {"at": worker}

    kept = session_cache._cache
    try:
        browser = tale.person_at("B", "Browser")
        tale.place("A", "Worker 1")
        tale.place("W", "Worker 2")
        other = tale.person_at("O", "Other device")
        for worker in caches:
            await at(worker)
            await session_cache.read_invalidations()
        await other._told(
            other.jar.submit("/login", {"email": tale.person.email, "password": PASSWORD}), **await at("W")
        )
        await other._told(other.jar.visit("/account"), **await at("W"))
        tale.note("W", "keeps the session in its cache")
        tale.clock.forward(minutes=1)
        await browser._told(
            browser.jar.submit("/login", {"email": tale.person.email, "password": PASSWORD}), **await at("A")
        )
        sid = UUID(forge.claims(other.jar.cookie(cookies.refresh_name()) or "")["sid"])
        await browser._told(browser.jar.submit(f"/account/sessions/{sid}/revoke"), **await at("A"))
        tale.note("W", "reads the invalidation feed within half a second")
        await at("W")
        await session_cache.read_invalidations()
        await other._told(other.jar.visit("/account"), **await at("W"))
    finally:
        session_cache._cache = kept


@story("device-binding")
async def device_binding(tale: Story) -> None:
    browser, device = await _browser(tale), BoundDevice()
    challenge = offered(await browser.sign_in())
    answer = await browser.renew("/auth/device-session", device.registration(challenge))
    attacker = tale.person_at("X", "Attacker")
    attacker.takes_the_cookies_of(browser)
    tale.note("X", "copies the cookies")
    tale.later("13 minutes later the browser renews by itself", minutes=13)
    answer = await browser.renew("/auth/device-session/refresh", device.proof(wanted(answer)))
    tale.later("the copied access token has expired", "X", minutes=16)
    attacker.access_expires()
    await attacker.visit("/auth/resume?next=/account")
    await attacker.renew("/auth/device-session/refresh")
    await browser.renew("/auth/device-session/refresh", device.proof(wanted(answer)))
    await browser.visit("/account")


@story("mailed-link")
async def mailed_link(tale: Story) -> None:
    browser = await _browser(tale)
    tale.place(MAILBOX, "Mailbox")
    await browser.submit("/forgot-password", {"email": tale.person.email})
    link = mailbox.link_in((await mailbox.emails_to(tale.person.email))[-1])
    tale.note("B", "opens the link in the e-mail")
    await browser.visit(link)
    form = {"token": link.partition("?token=")[2], "password": "seven wooden pegs in a row"}
    await browser.submit("/reset-password", form)
    tale.note("B", "sends the form once more")
    await browser.submit("/reset-password", form)
