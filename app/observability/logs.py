"""Logging: one event per line on standard error; JSON in production, plain text in development.

An event has a name and fields, never a sentence with values in it. No token, password or e-mail address is logged;
users and sessions appear as pseudonyms. Secrets that get in nevertheless, in the message of an exception, are replaced
before a line is written. An error in logging never fails a request.
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

# A token, a password hash, an e-mail address (or the password in a database URL), and the values that messages of
# PostgreSQL and pydantic quote.
SECRETS = re.compile(
    r"eyJ[\w-]+\.[\w.-]+|\$(?:argon2|2[aby]\$)[^\s'\"]+"
    r"|(?<![^\s@/\"'<>(),;:=])[^\s@/\"'<>(),;:=]+@[^\s@/\"'<>(),;:]+"  # anchored at its start: linear time
    r"|DETAIL:.*|(?<=input_value=).*(?=, input_type=)"
)
MARKS = re.compile(r"[@$]|eyJ|DETAIL|input_value")  # every match of SECRETS contains one of these; ten times as fast
HIDDEN = "[hidden]"
NO_VALUES = (
    "sqlstate",
    "table_name",
    "column_name",
    "constraint_name",
    "statement",
)  # attributes of an error that contain no values
DRIVERS = ("asyncpg.", "sqlalchemy.dialects.postgresql.asyncpg")  # SQLite's messages quote no values
request: ContextVar[str] = ContextVar("request", default="")  # the id of the current request


def get(source: str) -> Any:
    """A logger: `log.info("feed_unread", seconds=7)`. `source`: the part of the application that logs."""
    return structlog.get_logger(source=source)


def pseudonym(owner: UUID | None) -> str | None:
    """The name of a user or a session in the log. It changes only with APP_SECRET_KEY."""
    return None if owner is None else _pseudonym(owner)


def of_request(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add the id of the current request to an event."""
    if request_id := request.get():
        event["request_id"] = request_id
    return event


def config() -> dict[str, Any]:
    """For `logging.config.dictConfig`: writes the lines of uvicorn and of libraries in the same form.

    In development, uvicorn's start and stop messages are left out.
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
            "uvicorn.websockets": {"level": "WARNING"},  # it logs handshakes with their query; `request` is our line
        },
    }


class Lines:
    """Writes to standard error. Ignores errors: a full disk must not make requests fail."""

    def msg(self, line: str) -> None:
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg


def without_secrets(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace secrets in an event. The last line of defence: exceptions may quote their arguments."""
    for name, value in event.items():
        if value.__class__ is str and MARKS.search(value):
            event[name] = SECRETS.sub(HIDDEN, value)
    return event


def on_one_line(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """For plain text (JSON escapes by itself): no value can start a new line; lines of a traceback are indented."""
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
    """A separate key: the log reveals nothing about the signing key."""
    return hmac.digest(get_settings().secret_key.encode(), b"lanyard pseudonyms in the log", "sha256")


def _source(logger: Any, _: str, event: dict[str, Any]) -> dict[str, Any]:
    return event | {"source": event["_record"].name}


def as_json(logger: Any, level: str, event: dict[str, Any]) -> str:
    """JSON in ASCII, without secrets, direction marks and Unicode line ends. orjson has no option for ASCII.

    The line is searched for secrets as a whole, and field by field only if it may hold one.
    """
    line = orjson.dumps(event, default=str).decode()
    if MARKS.search(line):
        event = without_secrets(logger, level, event)
        line = orjson.dumps(event, default=str).decode()
    return line if line.isascii() else json.dumps(event, default=str)


def traceback_of(error: BaseException) -> traceback.TracebackException:
    """The traceback without messages of the database driver, which quote the values of a statement."""
    formatted = traceback.TracebackException.from_exception(error)
    _hide(formatted, error, False)
    return formatted


def _traceback(exc_info: Any) -> str:
    return "".join(traceback_of(exc_info[1]).format()).rstrip("\n")


def _hide(formatted: traceback.TracebackException, error: BaseException, below: bool) -> None:
    """Hide the messages of driver errors in a chain. `below`: the chain already had one, so its values may recur."""
    below = below or _of_the_driver(error) or _of_the_driver(getattr(error, "orig", None))
    if below:
        rest = [str(getattr(error, name)) for name in NO_VALUES if getattr(error, name, None)]
        formatted._str = " ".join([HIDDEN, *rest])  # type: ignore[attr-defined]
    chained = [(formatted.__cause__, error.__cause__), (formatted.__context__, error.__context__)]
    if isinstance(error, BaseExceptionGroup):
        chained += zip(formatted.exceptions or (), error.exceptions, strict=False)
    for inner, its_error in chained:
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
    ]


def _last() -> list[Any]:
    if not get_settings().is_development:
        return [as_json]
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), sort_keys=False, pad_event_to=0, pad_level=False
    )
    return [without_secrets, on_one_line, renderer]


structlog.configure(
    processors=[structlog.processors.add_log_level, *_first(), *_last()],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=lambda *_: Lines(),
    cache_logger_on_first_use=True,
)
