"""Logging: one event a line on standard error; JSON in production, plain text in development.

Events have a name and fields, never a sentence with values in it. Nobody can be named here: no token, password or mail
address; people and sessions by pseudonym. What slips in all the same, in the message of somebody's exception, is
hidden on the way out. Nothing here can fail a request.
Source: OWASP Logging; v5.0.0-16.2.2, v5.0.0-16.2.4, v5.0.0-16.2.5, v5.0.0-16.4.1.
"""

import hmac
import json
import logging
import re
import sys
import traceback
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter

from app.settings import get_settings

# A token, a password hash, a mail address (or the password in a database's URL), the values in the words of PostgreSQL
# and pydantic.
SECRETS = re.compile(
    r"eyJ[\w-]+\.[\w.-]+|\$(?:argon2|2[aby]\$)[^\s'\"]+"
    r"|(?<![^\s@/\"'<>(),;:=])[^\s@/\"'<>(),;:=]+@[^\s@/\"'<>(),;:]+"  # from its start alone: each character once
    r"|DETAIL:.*|(?<=input_value=).*?(?=, input_type=)"
)
MARKS = re.compile(r"[@$]|eyJ|DETAIL|input_value")  # without one of these there is none of those; ten times as fast
HIDDEN = "[hidden]"
NO_VALUES = ("sqlstate", "table_name", "column_name", "constraint_name", "statement")  # what may be told of an error
DRIVERS = ("asyncpg.", "sqlalchemy.dialects.postgresql.asyncpg")  # SQLite's repeats no value
request: ContextVar[str] = ContextVar("request", default="")  # the id of the one being answered


def get(source: str) -> Any:
    """A logger: `log.info("feed_unread", seconds=7)`. `source` is the part of the application that speaks."""
    return structlog.get_logger(source=source)


def pseudonym(owner: UUID | None) -> str | None:
    """What a person or a session is called in the log: the same for as long as APP_SECRET_KEY is."""
    return None if owner is None else _pseudonym(owner)


def of_request(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Every event while a request is answered carries its id."""
    if request_id := request.get():
        event["request_id"] = request_id
    return event


def config() -> dict[str, Any]:
    """For `logging.config.dictConfig`: what the server and the libraries say, in the same form.

    In development the server's own start and end are left out.
    """
    chain = [structlog.stdlib.add_log_level, _source, *_first(), ProcessorFormatter.remove_processors_meta]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": ProcessorFormatter, "processors": [*chain, *_last()]}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "uvicorn": {"level": "WARNING" if get_settings().is_development else "INFO"},
        },
    }


class Lines:
    """Writes to standard error. A full disk below the log must not become an error of the site."""

    def msg(self, line: str) -> None:
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg


def without_secrets(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """The last line of defence, not the first: an exception quotes what it was given."""
    for name, value in event.items():
        if value.__class__ is str and MARKS.search(value):
            event[name] = SECRETS.sub(HIDDEN, value)
    return event


def on_one_line(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """For people; JSON escapes by itself. No value starts a line, and a traceback's lines are indented."""
    for name, value in event.items():
        if value.__class__ is str:
            lines = value.splitlines() if name == "exception" else [value]
            event[name] = "\n    ".join(_printable(line) for line in lines)
    return event


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


@lru_cache(10_000)
def _pseudonym(owner: UUID) -> str:
    return hmac.digest(_key(), owner.bytes, "sha256").hex()[:16]


@cache
def _key() -> bytes:
    """Of its own: whoever reads the log learns nothing about the key that signs."""
    return hmac.digest(get_settings().secret_key.encode(), b"lanyard pseudonyms in the log", "sha256")


def _source(logger: Any, _: str, event: dict[str, Any]) -> dict[str, Any]:
    return event | {"source": event["_record"].name}


def _ascii_json(event: Any, **_: Any) -> str:
    """ASCII: no marks that turn the text around, no line ends. orjson, five times as fast, has no such option."""
    line = orjson.dumps(event, default=str).decode()
    return line if line.isascii() else json.dumps(event, default=str)


def _traceback(exc_info: Any) -> str:
    """As Python writes it, without what the database's driver says: its sentences repeat the values of a statement."""
    told = traceback.TracebackException(*exc_info)
    _hide(told, exc_info[1], False)
    return "".join(told.format()).rstrip("\n")


def _hide(told: traceback.TracebackException, error: BaseException, below: bool) -> None:
    """Of this error and of those behind it. `below`: it is behind one of the driver's, and may hold the same values."""
    below = below or _of_the_driver(error) or _of_the_driver(getattr(error, "orig", None))
    if below:
        rest = [str(getattr(error, name)) for name in NO_VALUES if getattr(error, name, None)]
        told._str = " ".join([HIDDEN, *rest])  # type: ignore[attr-defined]
    behind = [(told.__cause__, error.__cause__), (told.__context__, error.__context__)]
    if isinstance(error, BaseExceptionGroup):
        behind += zip(told.exceptions or (), error.exceptions, strict=False)
    for inner, its_error in behind:
        if inner and its_error:
            _hide(inner, its_error, below)


def _of_the_driver(error: object) -> bool:
    return type(error).__module__.startswith(DRIVERS)


def _first() -> list[Any]:
    pretty = get_settings().is_development
    return [
        of_request,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty, key="timestamp"),
        structlog.processors.ExceptionRenderer(_traceback),
        without_secrets,
    ]


def _last() -> list[Any]:
    if not get_settings().is_development:
        return [structlog.processors.JSONRenderer(serializer=_ascii_json)]
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), sort_keys=False, pad_event_to=0, pad_level=False
    )
    return [on_one_line, renderer]


structlog.configure(
    processors=[structlog.processors.add_log_level, *_first(), *_last()],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=lambda *_: Lines(),
    cache_logger_on_first_use=True,
)
