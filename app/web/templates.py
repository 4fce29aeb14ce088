"""Templates: everything escaped, an unknown name is an error, the same names on every page."""

import calendar
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lilya.responses import Response
from markupsafe import Markup, escape

from app import db
from app.settings import ROOT, get_settings
from app.web import features, lengths, notices, static_files, theme

TEMPLATES = ROOT / "templates"
APP_NAME = "Lanyard"
APP_SLUG = "lanyard"  # in the names of files that are taken away
KEY_FIELD = "idempotency_key"
POSTED = re.compile(r'<form\b[^>]*\bmethod="post"[^>]*>')  # values are escaped: no ">" in them
ATTRIBUTE = re.compile(r"[\w:.-]+", re.ASCII)
MONTHS = tuple(calendar.month_name)
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


@dataclass(frozen=True, slots=True)
class Nobody:
    """What templates see as `user` where nobody is signed in, or where authentication has not run.

    `unavailable`: nobody can say who it is, so a page shows neither a name nor "Sign in".
    """

    unavailable: bool = False
    is_authenticated: bool = False
    id: str = ""
    email: str = ""
    name: str = ""
    role: str = ""

    def may(self, permission: str) -> bool:
        return False


def page(
    request: Any, name: str, status_code: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> Any:
    """The response that shows the template `name`, a path inside `templates/`."""
    scope = request.scope
    user, notice = visitor(scope), notices.code_of(scope)
    shown = {
        "user": user,
        "nonce": scope.get("csp_nonce", ""),
        "notice": notices.of(notice),
        "path": scope["path"],
        "registration": get_settings().registration,
        "hidden_user_field": lambda: Markup('<input type="hidden" name="as" value="{}">').format(user.id),
        **context,
    }
    text = with_keys(environment(TEMPLATES).get_template(name).render(shown))
    # A fresh dict each time: the framework writes content-length into the one it is given.
    response = Response(text, status_code=status_code, headers=dict(headers or {}), media_type="text/html")
    return notices.shown(response) if notice else response


def with_keys(html: str) -> str:
    """Give every form of the page that is posted the key that tells sending it twice from sending two (`idempotency`).

    Here and not in the templates, so that a form of one's own has it. Random, so that no other page has it.
    """
    hidden = f'<input type="hidden" name="{KEY_FIELD}" value="{secrets.token_urlsafe(16)}">'
    return POSTED.sub(lambda tag: tag[0] + hidden, html)


def visitor(scope: Mapping[str, Any]) -> Any:
    """`user` of a template: the authenticated user, else Nobody."""
    user = scope.get("user")
    if user is None:  # an error before authentication: somebody may well be signed in
        return Nobody(unavailable=True)
    return user if user.is_authenticated else Nobody(getattr(user, "unavailable", False))


class _Environment(Environment):
    """Stock: a template's globals are a ChainMap, and each import of macros goes through all of its keys in Python."""

    def make_globals(self, d: Any) -> dict[str, Any]:
        return {**self.globals, **(d or {})}


@cache
def environment(folder: Path) -> Environment:
    development = get_settings().is_development
    made = _Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, auto_reload=development
    )
    made.globals |= {"app_name": APP_NAME, "app_slug": APP_SLUG, "lengths": lengths.OF_FIELDS}
    made.globals |= {"static": static_files.url, "development": development}
    made.globals |= {"navigation": features.navigation, "footer": features.footer}
    made.globals["theme"] = theme
    made.globals["utcnow"] = lambda: db.utcnow()
    made.globals["admin_tabs"] = features.admin_tabs
    made.globals["live"] = get_settings().streams_per_worker > 0
    made.globals["shows_learn"] = get_settings().shows_learn  # learn
    made.globals["reloads"] = lambda: development and any(feature.name == "reload" for feature in features.enabled())
    made.filters |= {"xmlattr": attributes, "when": when, "ago": ago, "day": day, "initials": initials}
    return made


def initials(name: str) -> str:
    """One or two letters for a round picture: those of the first and the last word."""
    words = name.split()
    return "".join(word[0] for word in dict.fromkeys((words[0], words[-1]))).upper() if words else ""


def attributes(named: Mapping[str, Any]) -> Markup:
    """The filter `xmlattr`, without those that are None. Stock: each name is checked and escaped every time anew."""
    # The values are escaped here, and `_opening` refuses a name that could end its attribute.
    shown = (f'{_opening(name)}{escape(value)}"' for name, value in named.items() if value is not None)
    return Markup("".join(shown))  # noqa: S704


@lru_cache(256)  # names stand in templates: they are always the same few
def _opening(name: str) -> str:
    if not ATTRIBUTE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an attribute")
    return f' {name}="'


def when(timestamp: datetime) -> Markup:
    """`<time>` with the date and the time in UTC."""
    timestamp = timestamp.astimezone(UTC)
    return _time(timestamp, f"{_day(timestamp)}, {timestamp.hour:02}:{timestamp.minute:02} UTC")


def ago(timestamp: datetime) -> Markup:
    """`<time>` with the distance from now; past thirty days the date."""
    timestamp = timestamp.astimezone(UTC)
    seconds = int((db.utcnow() - timestamp).total_seconds())
    if seconds < 60:  # the future too: this worker's clock may be behind
        return _time(timestamp, "just now")
    if seconds >= 31 * 86400:
        return _time(timestamp, _day(timestamp))
    unit, length = next((unit, length) for unit, length in UNITS if seconds >= length)
    count = seconds // length
    return _time(timestamp, f"{count} {unit}{'s' if count > 1 else ''} ago")


def day(on: date) -> Markup:
    """`<time>` with a day of the calendar."""
    return Markup('<time datetime="{}">{}</time>').format(on.isoformat(), _day(on))


def _day(timestamp: date) -> str:
    return f"{timestamp.day} {MONTHS[timestamp.month]} {timestamp.year}"


def _time(timestamp: datetime, text: str) -> Markup:
    # By hand: a list shows a hundred of them, `strftime` and `Markup.format` take four times as long, and none of the
    # three texts was typed by anybody.
    on, at = timestamp.isoformat(timespec="seconds")[:19].split("T")
    return Markup(f'<time datetime="{on}T{at}Z" title="{_day(timestamp)}, {at} UTC">{text}</time>')  # noqa: S704
