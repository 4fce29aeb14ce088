"""The command `seed`: many users and audit events, to see and to measure how the lists behave.

Nobody can sign in as one of them: all have the hash of a password that nobody knows. Written in bundles, each a
transaction of its own, so that a running server waits for none of them for long.
"""

import asyncio
import random
import secrets
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import passwords
from app.auth.accounts import user_search
from app.auth.models import session_rows, user_rows, word_rows
from app.db import schema
from app.settings import get_settings
from app.web.email_address import email_key

BUNDLE = 5000  # rows: written in half a second
CACHE = 262_144  # KiB, of SQLite alone: the indexes that events are strewn over stay in memory
YEAR, MONTH = timedelta(days=365), timedelta(days=30)
FIRST = ("Ada", "Ben", "Cleo", "Dag", "Eva", "Finn", "Gina", "Hugo", "Ida", "Jan", "Kim", "Lea", "Max", "Nia", "Zoë")
LAST = ("Abel", "Berg", "Cole", "Diaz", "Eder", "Fink", "Graf", "Haas", "Ito", "Jung", "Klein", "Lang", "Maas", "Nagy")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
)
# Event -> how many of a hundred.
SHARES = {
    events.SESSION_ROTATED: 45,
    events.LOGIN: 26,
    events.LOGOUT: 13,
    events.LOGIN_FAILED: 9,
    events.SESSION_REVOKED: 5,
    events.STEP_UP: 1,
    events.SESSION_REUSED: 1,
}
Progress = Callable[[int], None]
_chance = random.Random()  # noqa: S311 - no secret comes out of it


def seed(users: int, audit_rows: int, yes_really: bool) -> int:
    """Add so many people, and events of the last 30 days. Returns the exit code."""
    if not get_settings().is_development and not yes_really:
        print("lanyard: this is not a development environment; add --yes-really to continue", file=sys.stderr)
        return 1
    try:
        if pending := db.pending():
            print(f"lanyard: migrations are pending ({', '.join(pending)}): run `migrate` first", file=sys.stderr)
            return 1
        asyncio.run(fill(users, audit_rows, _bar("people", users), _bar("events", audit_rows)))
    except (db.Unavailable, OSError) as error:
        print(f"lanyard: the database that DATABASE_URL names does not answer: {error}", file=sys.stderr)
        return 1
    print(f"Added {users} users and {audit_rows} events.")
    return 0


async def fill(
    users: int, audit_rows: int, people_done: Progress = lambda _: None, events_done: Progress = lambda _: None
) -> None:
    """Do it on the database that `app.db` points at, on a connection of its own."""
    encoded = await passwords.hash(secrets.token_urlsafe(32))
    now = db.utcnow()

    def work(connection: sa.Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHE}")
        for number, bundle in _bundles(users):
            _write(connection, _people(bundle, users, encoded, now))
            people_done(number)
        ids = list(connection.execute(sa.select(user_rows.c.id).limit(100_000)).scalars()) or [None]
        for number, bundle in _bundles(audit_rows):
            _write(connection, {event_rows: [_event(each, audit_rows, ids, now) for each in bundle]})
            events_done(number)

    await schema.on_own_connection(work)


def _bundles(count: int) -> Iterator[tuple[int, range]]:
    for start in range(0, count, BUNDLE):
        end = min(start + BUNDLE, count)
        yield end, range(start, end)


def _write(connection: sa.Connection, rows: dict[Any, list[dict[str, Any]]]) -> None:
    connection.exec_driver_sql("BEGIN")
    for table, values in rows.items():
        if values:
            connection.execute(sa.insert(table), values)  # one statement, run for each row: few parameters at a time
    connection.exec_driver_sql("COMMIT")


def _people(numbers: range, count: int, encoded: str, now: datetime) -> dict[Any, list[dict[str, Any]]]:
    users, words, sessions = [], [], []
    for number in numbers:
        made = now - YEAR * (1 - number / count)
        user = _person(number, encoded, made, now)
        users.append(user)
        found = user_search.words_of(user["name"], user["email_key"])
        words += [{"word": word, "user_id": user["id"]} for word in found]
        if user["is_active"] and number % 5 == 0:
            sessions.append(_session(user["id"], now))
    return {user_rows: users, word_rows: words, session_rows: sessions}


def _person(number: int, encoded: str, made: datetime, now: datetime) -> dict[str, Any]:
    user_id, name = _id_of(made), f"{_chance.choice(FIRST)} {_chance.choice(LAST)}"
    # As random as the id: of a million with 32 bits some have the same address.
    email = f"{db.case_folded(name).replace(' ', '.').replace('ë', 'e')}.{user_id.hex[-12:]}@example.org"
    return {
        "id": user_id,
        "email": email,
        "email_key": email_key(email),
        "name": name,
        "search_text": user_search.search_text(name, email),
        "password": encoded,
        "role": "admin" if number % 1000 == 999 else "user",
        "is_active": number % 20 != 0,
        "created_at": made,
        "invited_at": made if number % 40 == 4 else None,  # who did not come in yet
        "last_login": None if number % 4 == 0 else made + (now - made) * _chance.random(),
    }


def _session(user_id: UUID, now: datetime) -> dict[str, Any]:
    began = now - timedelta(hours=_chance.randrange(24 * 7))
    times = dict.fromkeys(("handed_at", "created_at", "last_seen_at", "authenticated_at"), began)
    session = {
        "id": _id_of(began),
        "user_id": user_id,
        "secret": secrets.token_hex(32),
        "generation": 1,
        "confirmed": 1,
    }
    ends_at = began + timedelta(seconds=get_settings().session_seconds)
    return session | times | {"ends_at": ends_at, "user_agent": _chance.choice(AGENTS), "ip": _address()}


def _event(number: int, count: int, ids: list[Any], now: datetime) -> dict[str, Any]:
    at, whose = now - MONTH * (1 - number / count), _chance.choice(ids)
    event = _chance.choices(list(SHARES), list(SHARES.values()))[0]
    return {
        "id": _id_of(at),
        "at": at,
        "event": event,
        "user_id": whose,
        "actor_id": None if event in (events.LOGIN_FAILED, events.SESSION_REUSED) else whose,
        "session_id": None,
        "ip": _address(),
        "user_agent": _chance.choice(AGENTS),
        "request_id": "",
        "detail": "",
    }


def _address() -> str:
    return f"198.51.{_chance.randrange(256)}.{_chance.randrange(256)}"


def _id_of(timestamp: datetime) -> UUID:
    """A UUIDv7 made at that moment."""
    return UUID(int=int(timestamp.timestamp() * 1000) << 80 | 7 << 76 | 0b10 << 62 | secrets.randbits(62))


def _bar(what: str, count: int) -> Progress:
    """Drawn on a terminal alone: in a log it would be noise."""

    def draw(done: int) -> None:
        if sys.stderr.isatty():
            wide = 40 * done // max(count, 1)
            end = "\n" if done >= count else ""
            print(
                f"\r{what:<8}[{'#' * wide}{'.' * (40 - wide)}] {done:,} of {count:,}",
                end=end,
                file=sys.stderr,
                flush=True,
            )

    return draw
