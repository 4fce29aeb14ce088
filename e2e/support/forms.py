"""Every form that is posted, found by following the links of a site from page to page, as a person finds it."""

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

from app.auth.pages import device_session
from app.main import route_table

OFTEN = 3  # pages of one kind that are looked at
NOT_FOLLOWED = (
    "/static/",
    "/docs",
    "/openapi.json",
    "/learn/source/",  # learn
)


@dataclass(frozen=True)
class Button:
    """What sends a form to `action`. `own`: the button says so itself (`formaction`).

    `page`: where it stands. `via`: by which kinds of pages one comes there, as the table of routes names them.
    """

    page: str
    action: str
    own: bool
    via: tuple[str, ...] = ()

    @property
    def selector(self) -> str:
        if self.own:
            return f'button[formaction="{self.action}"]'
        return f'form[method="post"][action="{self.action}"] button[type="submit"]:not([formaction])'


class _Page(HTMLParser):
    def __init__(self, path: str, text: str) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.buttons: list[Button] = []
        self._action: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "a" and said.get("href"):
            address = urlsplit(urljoin(self.path, said["href"] or ""))._replace(fragment="")
            if not address.scheme and not address.netloc:  # others lead away from the site
                self.links.append(address.geturl())
        elif tag == "form":
            self._action = said.get("action") if said.get("method") == "post" else None
        elif tag == "button" and said.get("type") == "submit" and self._action:
            own = said.get("formaction")
            self.buttons.append(Button(self.path, own or self._action, bool(own)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._action = None


def routes() -> list[str]:
    """The addresses that pages post their forms to, as the application's own table has them."""
    posted = {row["path"] for row in route_table() if row["method"] == "POST" and not row["path"].startswith("/api/")}
    # The first hands on what was sent to another one; the others are asked by the browser itself.
    return sorted(posted - {"/auth/resume", *device_session.PREFLIGHTED})


def route_of(path: str, method: str = "POST") -> str:
    """The address in the table that answers the path; "" for none. As the router does it: the first that fits."""
    known = [row["path"] for row in route_table() if row["method"] == method]
    return next((each for each in known if _pattern(each).fullmatch(urlsplit(path).path)), "")


def buttons(client: httpx.Client, roots: Iterable[str], via: Collection[str] = ()) -> Iterator[Button]:
    """Of every page that can be reached from these. `via`: leave out all other kinds of pages."""
    waiting = deque[tuple[str, tuple[str, ...]]]((path, ()) for path in roots)
    seen, kinds = set[str](), Counter[str]()
    while waiting:
        path, by = waiting.popleft()
        kind = route_of(path, "GET")
        if path in seen or not kind or path.startswith(NOT_FOLLOWED) or kinds[kind] == OFTEN:
            continue
        if via and kind not in via:
            continue
        seen.add(path)
        kinds[kind] += 1
        by = (*by, kind)
        answer = client.get(path)
        if answer.has_redirect_location:
            waiting.appendleft((answer.headers["location"], by))
        elif answer.headers["content-type"].startswith("text/html"):
            page = _Page(path, answer.text)
            yield from (replace(button, via=by) for button in page.buttons)
            waiting.extend((link, by) for link in page.links)


def buttons_on(path: str, html: str) -> list[Button]:
    """Of one page."""
    return _Page(path, html).buttons


def _pattern(route: str) -> re.Pattern[str]:
    return re.compile(
        "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", route))
    )
