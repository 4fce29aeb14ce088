"""The client of a request: address, browser and request id, for logs and the audit log."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
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

# The first mark that is found names it: many browsers also name the ones that they are made of.
BROWSERS = (
    ("Ddg/", "DuckDuckGo"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPiOS/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("MiuiBrowser/", "Mi Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("UCBrowser/", "UC Browser"),
    ("Epiphany/", "GNOME Web"),
    ("GSA/", "Google app"),
    ("Instagram ", "Instagram"),
    ("FBAV/", "Facebook"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("Trident/", "Internet Explorer"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-", "Python"),
    ("Python", "Python"),
    ("Go-http-client/", "Go"),
)
ON_IOS = ("CriOS/", "FxiOS/", "EdgiOS/", "OPiOS/", "OPT/", "GSA/")  # browsers that nothing but an iPhone or iPad has
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


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

    A browser that is not in the list has the name of the one it is made of.
    """
    user_agent = user_agent[:LONGEST]
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = _system(user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Unknown device"


def _system(user_agent: str) -> str:
    """An iPad says that it is a Mac, to get pages for computers; Apple's engine alone is on both."""
    system = next((name for mark, name in SYSTEMS if re.search(rf"\b{re.escape(mark)}\b", user_agent)), "")
    if system != "macOS" or "AppleWebKit/605" not in user_agent:
        return system
    return "iPad" if any(mark in user_agent for mark in ON_IOS) else "Mac or iPad"
