"""The client of a request: address, browser and request id, for logs and the audit log."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from uuid import uuid4

from app.observability import logs


@dataclass(frozen=True, slots=True)
class Client:
    """`ip` is the peer, or what a trusted proxy says (uvicorn --forwarded-allow-ips); X-Forwarded-For is never read.

    `program`: asks the JSON API, which hands out tokens in a body and never in a cookie.
    """

    ip: str = ""
    user_agent: str = ""
    request_id: str = ""
    program: bool = False

    def words(self) -> dict[str, Any]:
        """Where a request came from, for the e-mail about it: `device` in a few words, and `ip`."""
        return {"device": device(self.user_agent), "ip": self.ip or "unknown"}


_NOBODY = Client()
_current: ContextVar[Client] = ContextVar("client", default=_NOBODY)

LONGEST = 255  # characters of a user agent: what a session holds

# Names of the library -> as people know them.
NAMES = {
    "IE": "Internet Explorer", "Epiphany": "GNOME Web", "MiuiBrowser": "Mi Browser", "Google": "Google app",
    "Python Requests": "Python", "Mac OS X": "macOS", "Chrome OS": "ChromeOS",
}  # fmt: skip
FORM = re.compile(r"^Mobile | (?:Mobile|iOS|Touch|Mini|UI/WKWebView)\b.*")  # "Chrome Mobile iOS" is Chrome


def current() -> Client:
    """The client of the request being answered; all fields empty outside of one."""
    return _current.get()


@contextmanager
def of(scope: Mapping[str, Any]) -> Iterator[Client]:
    """Make the client of `scope` the current one. The id is always ours: one sent by a client could forge log lines."""
    peer = scope.get("client")
    agents = [value for name, value in scope["headers"] if name.lower() == b"user-agent"]
    made = Client(
        ip=clean(peer[0], 45) if peer else "",
        user_agent=clean(agents[0].decode("utf-8", "replace"), LONGEST) if agents else "",
        request_id=str(uuid4()),
        program=scope.get("path", "").startswith("/api/"),
    )
    token, logged = _current.set(made), logs.request.set(made.request_id)
    try:
        yield made
    finally:
        logs.request.reset(logged)
        _current.reset(token)


def is_this_machine(scope: Mapping[str, Any]) -> bool:
    """A loopback peer, and no proxy that says it asks for somebody else: a tunnel brings the whole world along."""
    peer, forwarded = scope.get("client"), {b"forwarded", b"x-forwarded-for"}
    try:
        address = ipaddress.ip_address(peer[0] if peer else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback and forwarded.isdisjoint(name.lower() for name, _ in scope["headers"])


def clean(text: str, length: int) -> str:
    """One printable line: control, format and unassigned characters become "?" (log injection, v5.0.0-16.4.1)."""
    text = text[:length]
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


@lru_cache(1024)  # a list names the same few browsers again and again
def device(user_agent: str) -> str:
    """A user agent in a few words, such as "Chrome on Linux"; for people to recognise, never to decide by.

    Of the library's answer only words that stand in its own data count: some of its names are text that a visitor
    chose, and the name is read in e-mails.
    """
    user_agent = user_agent[:LONGEST]
    resolver, data, domain = _library()
    found = resolver(user_agent, domain)
    browser, system = (part.family if part and part.family in data else "" for part in (found.user_agent, found.os))
    if not browser and "python" in user_agent.lower():  # httpx and aiohttp, which the library does not know
        browser = "Python"
    system = _system(user_agent, browser, system)
    browser = NAMES.get(browser, FORM.sub("", browser))
    return f"{browser} on {system}" if browser and system else browser or system or "Unknown device"


def _system(user_agent: str, browser: str, system: str) -> str:
    """An iPad says that it is a Mac, to get pages for computers; Apple's engine alone is on both."""
    if system == "iOS":
        return "iPhone" if "iPhone" in user_agent else "iPad"
    if system == "Mac OS X" and "AppleWebKit/605" in user_agent:
        return "iPad" if "iOS" in browser else "Mac or iPad"
    return NAMES.get(system, system)


@cache
def _library() -> tuple[Any, str, Any]:
    """What names browsers and systems, and the text of its data. Loaded with the first name, which takes 40 ms.

    Without its names of devices: they would triple that.
    """
    from ua_parser.basic import Resolver
    from ua_parser.core import Domain
    from ua_parser_builtins.lazy import MATCHERS

    matchers: Any = MATCHERS
    browsers, systems, _ = matchers
    data = "\n".join(f"{matcher.regex}\n{matcher.family}" for matcher in (*browsers, *systems))
    return Resolver((browsers, systems, [])), data, Domain.USER_AGENT | Domain.OS
