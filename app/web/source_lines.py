"""Source lines of an exception, for the error page in development on this machine; nobody else ever sees them.

Shows code and messages, never the values of variables: those hold passwords and tokens. Messages lose what the log
would hide, and the values of secret settings and of the request's cookies.
Source: v5.0.0-16.5.1 (no internals in production), v5.0.0-13.4.2 (no debugging in production).
"""

import linecache
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import FrameSummary, TracebackException
from typing import Any

from app.observability import logs
from app.settings import ROOT, get_settings
from app.web import client, secret_values

AROUND = 5  # lines before and after the one that failed
FRAMES = 60  # of one exception: the end of an endless recursion says all
LONGEST = 2000  # characters of a message
PACKAGES = Path(sysconfig.get_path("purelib"))
SHORTEST_COOKIE = 8  # characters: a shorter value is no secret, and may be a word of the message


@dataclass(frozen=True, slots=True)
class Frame:
    """`ours`: code of the application, not of a package. `lines`: number -> text."""

    path: str
    function: str
    number: int
    ours: bool
    lines: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain. `frames`: where it was raised first, its callers below."""

    name: str
    message: str
    frames: list[Frame]


def shown_to(request: Any, error: Exception) -> list[Raised]:
    """The exception and its causes, the last one first; nothing in production or for another machine."""
    if not get_settings().is_development or not client.is_this_machine(request.scope):
        return []
    return list(_chain(logs.traceback_of(error), list(_cookies(request.scope))))


def _chain(error: TracebackException | None, cookies: list[str]) -> Iterator[Raised]:
    while error:
        name, _, message = "".join(error.format_exception_only()).strip().partition(": ")
        message = secret_values.hidden(logs.SECRETS.sub(logs.HIDDEN, message), *cookies)[:LONGEST]
        yield Raised(name, message, [_frame(each) for each in reversed(error.stack[-FRAMES:])])
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frame(frame: FrameSummary) -> Frame:
    path, number = Path(frame.filename), frame.lineno or 0
    ours = path.is_relative_to(ROOT) and not path.is_relative_to(PACKAGES)
    start = ROOT if ours else PACKAGES
    text = linecache.getlines(frame.filename)
    near = range(max(1, number - AROUND), min(len(text), number + AROUND) + 1)
    shown = path.relative_to(start) if path.is_relative_to(start) else path
    return Frame(str(shown), frame.name, number, ours, {each: text[each - 1].rstrip() for each in near})


def _cookies(scope: Mapping[str, Any]) -> Iterator[str]:
    """The values of the cookies and of the Authorization header."""
    for name, value in scope["headers"]:
        if name.lower() in (b"cookie", b"authorization"):
            for part in value.decode("latin-1").replace(";", " ").split():
                found = part.partition("=")[2] or part
                if len(found) >= SHORTEST_COOKIE:
                    yield found
