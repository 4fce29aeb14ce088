"""The log: what is hidden on the way out, that nobody writes a line of his own, and what a real server writes down."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.auth import tokens
from app.main import route_table
from app.observability import logs
from app.settings import get_settings
from app.web import features
from tests.support import forge, postgres, secrets
from tests.support.environment import ROOT
from tests.support.faults import command
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.server import Server, free_port, running

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"

# An exception in the words of those who quote what they were given, for anyone who looks at the account.
QUOTING = f"""
from app.auth.accounts import email_change

async def pending_email(*_):
    raise ValueError("DETAIL:  Key (email_key)=(robin@example.com) exists. {TOKEN}\\n2026-01-01 [info] forged")

email_change.pending_email = pending_email
"""
TALKING = """
from app.auth.accounts import login_flow
from app.observability import logs

login = login_flow.login

async def talking(email, password, *more, **named):
    logs.get("auth").info("login", tried=password)
    return await login(email, password, *more, **named)

login_flow.login = talking
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"token {TOKEN} refused", "token [hidden] refused"),
        ("for robin@example.com, twice", "for [hidden], twice"),
        ("postgresql://lanyard:hunter2@db/lanyard", "postgresql://lanyard:[hidden]/lanyard"),
        ("hash argon2$argon2id$v=19$m=64,t=2,p=1$c2FsdA$aGFzaA", "hash argon2[hidden]"),
        ("DETAIL:  Key (email_key)=(x) already exists.\nnext", "[hidden]\nnext"),
        ("[type=x, input_value='hunter2', input_type=str]", "[type=x, input_value=[hidden], input_type=str]"),
        ("[input_value='a, input_type=hunter2', input_type=str]", "[input_value=[hidden], input_type=str]"),
        ("/people/@me costs $5", "/people/@me costs $5"),
    ],
)
def test_secrets_that_somebody_quotes_are_hidden(text: str, shown: str) -> None:
    assert logs.without_secrets(None, "info", {"event": text})["event"] == shown
    assert json.loads(logs.as_json(None, "info", {"event": "x", "more": f"{text}é"}))["more"].startswith(shown)


INTEGER, DAY = sa.bindparam("x", type_=sa.Integer()), sa.bindparam("x", type_=sa.Date())
WORDS = sa.bindparam("x", type_=sa.String())


# v5.0.0-16.2.5
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("statement", "value", "name"),
    [
        (sa.select(INTEGER), "hunter2", "DataError"),
        (sa.select(DAY), "hunter2", "DataError"),
        (sa.select(sa.cast(WORDS, sa.Integer())), "hunter2", "InvalidTextRepresentationError"),
        (sa.select(sa.cast(WORDS, sa.Date())), "hunter2", "InvalidDatetimeFormatError"),
        (sa.select(sa.cast(WORDS, sa.Uuid())), "hunter2", "InvalidTextRepresentationError"),
        (sa.select(WORDS), "hunter2\0", "CharacterNotInRepertoireError"),
        (sa.text("INSERT INTO once VALUES (:x)"), "hunter2", "UniqueViolationError"),
        (sa.text("INSERT INTO short VALUES (:x)"), "hunter2 and more", "StringDataRightTruncationError"),
        (sa.text("SELECT complain(:x)"), "hunter2", "RaiseError"),
    ],
)
async def test_values_of_a_statement_stay_out_of_the_log(
    of_postgresql: None, capsys: pytest.CaptureFixture[str], statement: Any, value: str, name: str
) -> None:
    """The driver and the server quote what they were given, each in its own words and language."""
    try:
        await db.fetch_all(statement, {"x": value})
    except Exception as error:
        logs.get("web").error("failed", exc_info=error)
        logs.get("web").error("failed", exc_info=ExceptionGroup("several", [error]))

    told = capsys.readouterr().err
    assert "hunter2" not in told
    assert told.count(f"asyncpg.exceptions.{name}: {logs.HIDDEN}") >= 2
    assert "test_logs.py" in told


@pytest.fixture
async def of_postgresql(anyio_backend: str) -> AsyncIterator[None]:
    """`app.db` on a PostgreSQL, with two tables and a function of its own."""
    db.point_at(postgres.empty())
    await db.connect()
    await db.execute(sa.text("CREATE TABLE once (x text PRIMARY KEY)"))
    await db.execute(sa.text("INSERT INTO once VALUES ('hunter2')"))
    await db.execute(sa.text("CREATE TABLE short (x varchar(3))"))
    says = "BEGIN RAISE EXCEPTION '% is bad', x USING HINT = x, DETAIL = x; END"
    await db.execute(
        sa.text(f"CREATE FUNCTION complain(x text) RETURNS text LANGUAGE plpgsql AS $$BEGIN {says}; END$$")
    )
    yield
    await db.disconnect()


# v5.0.0-16.4.1
@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\x1b[31mb", "a\u2028b", "a\u202eb", "a\x85b"])
def test_no_value_starts_a_line_or_speaks_to_the_terminal(text: str) -> None:
    assert logs.on_one_line(None, "info", {"path": text})["path"].isprintable()


def test_lines_of_a_traceback_are_indented() -> None:
    shown = logs.on_one_line(None, "error", {"exception": "Traceback\n  File\nValueError: x\n12:00:00 [info] forged"})

    assert [line[:1] for line in shown["exception"].splitlines()[1:]] == [" "] * 3


def test_pseudonym_is_the_same_for_one_and_tells_nothing() -> None:
    one, other = UUID(int=1), UUID(int=2)

    assert logs.pseudonym(one) == logs.pseudonym(UUID(int=1)) != logs.pseudonym(other)
    assert str(one)[-4:] not in str(logs.pseudonym(one))
    assert logs.pseudonym(None) is None


def test_full_disk_under_the_log_is_nobodys_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _: str) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())

    logs.Lines().info("a line")


# v5.0.0-16.2.4
def test_what_the_libraries_say_has_the_same_form() -> None:
    program = (
        "import logging, logging.config\nfrom app.observability import logs\nlogging.config.dictConfig(logs.config())\n"
        "logging.getLogger('uvicorn.error').warning('of %s', 'robin@example.com')\nlogs.get('web').info('ours', a=1)"
    )
    environment = {**os.environ, "APP_ENV": "production", "APP_ARGON2_MEMORY_KIB": "19456"}

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)

    theirs, ours = map(json.loads, done.stderr.splitlines())
    assert (theirs["event"], theirs["level"], theirs["source"]) == ("of [hidden]", "warning", "uvicorn.error")
    assert (ours["event"], ours["level"], ours["source"], ours["a"]) == ("ours", "info", "web", 1)
    assert theirs["timestamp"].endswith("Z")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = str(free_port())
    with running(command=command(tmp_path_factory.mktemp("quoting"), QUOTING), **production(port)) as server:
        yield server


@pytest.fixture(scope="module")
def people(server: Server) -> dict[str, Person]:
    return {role: server.run(lambda role=role: make_user(role=role)) for role in ("user", "admin")}  # type: ignore[misc]


@pytest.fixture(scope="module")
def written(server: Server, people: dict[str, Person]) -> list[dict[str, Any]]:
    """The lines of a server that was asked everything by everybody."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        sign_in_and_out(client, people["user"])
        for who in ("nobody", "user", "admin"):
            ask_everything(client, server, who, people)
        ask_badly(client)
    return [json.loads(line) for line in server.log().splitlines()]


# v5.0.0-16.2.5
def test_no_secret_stands_in_the_log_of_a_server_that_was_asked_everything(
    server: Server, written: list[dict[str, Any]]
) -> None:
    routes = {(line["method"], line["route"]) for line in written if line["event"] == "request"}

    assert {(row["method"], row["path"]) for row in served()} <= routes
    assert not secrets.found_in(server.log(), server.secret, *SENT.values())


# v5.0.0-16.3.1, v5.0.0-16.3.3
def test_outcomes_of_logins_and_refreshes_are_events(written: list[dict[str, Any]]) -> None:
    events = {line["event"] for line in written}
    decisions = {line["decision"] for line in written if line["event"] == "refresh_refused"}

    assert {"login", "login_failed", "logout", "session_rotated", "session_reused", "access_denied"} <= events
    assert {"token_refused", "from_another_site_refused"} <= events
    assert decisions == {"reuse", "ended", "invalid"}


# v5.0.0-16.2.1, v5.0.0-16.2.2
def test_every_event_says_when_where_and_in_which_request(
    written: list[dict[str, Any]], people: dict[str, Person]
) -> None:
    of_requests = [line for line in written if line["source"] in ("web", "auth", "audit") and "request_id" in line]

    assert all(line["timestamp"].endswith("Z") and line["level"] for line in written)
    assert {UUID(line["request_id"]) for line in of_requests}
    (login,) = [line for line in of_requests if line["event"] == "login"]
    reused = next(line for line in of_requests if line["event"] == "session_reused")
    assert login["user"] == login["actor"] == reused["user"] == logs.pseudonym(people["user"].id)


def test_exception_is_there_once_with_its_traceback_and_without_what_it_quotes(
    written: list[dict[str, Any]],
) -> None:
    failed = [line for line in written if line["event"] == "failed"]

    assert failed
    assert all(line["exception"].startswith("Traceback") for line in failed)
    assert all("ValueError: [hidden]\n2026-01-01 [info] forged" in line["exception"] for line in failed)


def test_planted_secret_is_found(tmp_path: Path) -> None:
    """The test of the test: a server that tells what was typed is noticed when it stops."""
    with pytest.raises(AssertionError, match=f"in the log.*{PASSWORD}"):
        sign_in_at(command(tmp_path, TALKING))


@pytest.mark.parametrize("line", [TOKEN, "of robin@example.com", "argon2$argon2id$v=19$m=64"])
def test_what_looks_secret_is_found(line: str) -> None:
    assert secrets.found_in(f"before\n{line}\nafter")


def sign_in_at(program: list[str]) -> None:
    with running(command=program) as server:
        person = server.run(make_user)
        body = {"email": person.email, "password": person.password}
        httpx.post(f"{server.url}/api/auth/login", json=body).raise_for_status()


# What is typed and sent by those who ask everything; every field that any form or document of the site may have.
SENT = {
    "email": "canary-address@example.com",
    "password": "canary passphrase for the log",
    "current_password": "canary current passphrase",
    "new_password": "canary new passphrase",
    "token": "canary-token-of-a-mailed-link",
    "refresh_token": TOKEN,
    "code": "canary-927461",
    "name": "Canary Bird",
    "title": "canary title",
    "body": "canary body",
    "q": "canary-search",
}


def production(port: str) -> dict[str, str]:
    return {
        "APP_ENV": "production",
        "PUBLIC_ORIGIN": f"http://localhost:{port}",
        "PORT": port,
        "APP_ARGON2_MEMORY_KIB": "19456",
        "APP_METRICS_TOKEN": "canary of the monitoring, 32 bytes",
    }


def sign_in_and_out(client: httpx.Client, person: Person) -> None:
    login = {"email": person.email, "password": person.password}
    client.post("/api/auth/login", json=login | {"password": SENT["password"]})
    pair = client.post("/api/auth/login", json=login).json()
    secrets.keep(pair["access_token"], pair["refresh_token"])
    raws = [pair["refresh_token"]]
    for _ in range(3):
        raws.append(client.post("/api/auth/refresh", json={"refresh_token": raws[-1]}).json()["refresh_token"])
    for raw in (raws[0], raws[-1], TOKEN):
        assert client.post("/api/auth/refresh", json={"refresh_token": raw}).status_code == 401
    client.post("/login", data=login, headers={"Origin": "https://evil.example"})
    client.post("/logout", headers={"Authorization": f"Bearer {forge.expired(pair['access_token'])}"})


def ask_everything(client: httpx.Client, server: Server, who: str, people: dict[str, Person]) -> None:
    """Every route and method: with a form, with a document, and with all of it in the query."""
    rows = served()
    pairs = [] if who == "nobody" else server.run(lambda: sessions_of_as_many(who, len(rows)))
    for row, pair in zip_longest(rows, pairs):
        cookies = {"__Host-access": TOKEN}
        if pair:
            cookies = {"__Host-access": pair.access_token, "__Host-refresh": pair.refresh_token}
        jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
        headers = {"Cookie": jar, "Sec-Fetch-Site": "same-origin", "User-Agent": SENT["token"]}
        path = re.sub(r"\{action\}", "sign-out", row["path"])
        path = re.sub(r"\{\w+\}", str(people["user"].id), path)
        client.request(row["method"], path, headers=headers, params=SENT)
        client.request(row["method"], path, headers=headers, data=SENT)
        client.request(row["method"], path, headers=headers, json=SENT)
        client.request(row["method"], path, headers={"Authorization": f"Bearer {SENT['token']}"})


def served() -> list[dict[str, str]]:
    """The routes of production; this process has those of development too. Of a stream that goes on, HEAD."""
    production = get_settings().model_copy(update={"env": "production"})
    ours = {route.path for each in features.registered() if each.enabled(production) for route in each.routes}
    rows = [row for row in route_table() if row["path"] in ours]
    return [row | {"method": row["method"].replace("EVENTS", "HEAD")} for row in rows]


async def sessions_of_as_many(role: str, count: int) -> list[tokens.TokenPair]:
    """A person for each route: some routes end sessions, or the account."""
    return [await start_session(await make_user(role=role)) for _ in range(count)]


def ask_badly(client: httpx.Client) -> None:
    client.get(f"/nothing/{SENT['email']}/{TOKEN}")
    client.get("/nothing", headers={"X-Broken": SENT["password"].encode() + b"\xff"})
    client.post("/api/auth/login", content=json.dumps(SENT)[:-1], headers={"Content-Type": "application/json"})
    client.post("/login", content=SENT["password"], headers={"Content-Type": "text/plain"})
    client.post("/login", content=SENT["password"] * 100_000)
    client.get("/", headers={"Host": SENT["token"]})
