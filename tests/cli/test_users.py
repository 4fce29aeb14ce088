"""The commands about people, as an operator types them."""

import base64
import hmac
import io
import os
import pty
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.__main__ import main
from app.audit import events
from app.audit.models import event_rows
from app.auth import passwords
from app.auth.accounts import login_flow
from app.auth.models import session_rows, user_rows
from app.auth.sessions import revocation
from app.mfa import second_factor
from tests.support.environment import ROOT
from tests.support.people import Person, make_user, start_session
from tests.support.phone import is_on, with_a_phone

GOOD = "a passphrase of the operator"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What is typed where nobody sees it, one after the other."""

    def typed(*answers: str) -> None:
        given = iter(answers)
        monkeypatch.setattr("getpass.getpass", lambda _: next(given))

    return typed


async def only_user() -> Any:
    (row,) = await db.fetch_all(sa.select(user_rows))
    return row


async def logged() -> list[tuple[str, Any]]:
    rows = await db.fetch_all(sa.select(event_rows).order_by(event_rows.c.id))
    return [(row.event, row.actor_id) for row in rows]


def test_create_admin_makes_one_with_the_password_that_was_typed(
    here: Any, typed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    typed(GOOD, GOOD)

    code = main(["create-admin", "--email", "Boss@Example.com", "--name", "Bo Boss"])

    assert code == 0
    assert capsys.readouterr().out == "Boss@example.com is now an administrator.\n"
    row = here(only_user)
    assert (row.email_key, row.name, row.role, row.is_active) == ("boss@example.com", "Bo Boss", "admin", True)
    assert passwords._verify(GOOD, row.password).ok
    assert here(logged) == [(events.REGISTERED, None)]


@pytest.mark.parametrize(
    ("email", "name", "answers", "said"),
    [
        ("boss@example.com", "Bo", ["short"], "Use at least 15 characters."),
        ("boss@example.com", "Bo", ["passwordpassword"], "lists of stolen passwords"),
        ("boss@example.com", "Bo", [GOOD, GOOD + "!"], "passwords do not match"),
        ("nonsense", "Bo", [], "Enter an address such as"),
        ("boss@example.com", "\x1b[31m", [], "characters that cannot be shown"),
        ("taken@example.com", "Bo", [GOOD, GOOD], "python -m app promote taken@example.com"),
    ],
)
def test_create_admin_says_in_one_line_what_does_not_fit(
    here: Any,
    typed: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    email: str,
    name: str,
    answers: list[str],
    said: str,
) -> None:
    here(lambda: make_user(email="taken@example.com"))
    typed(*answers)

    code = main(["create-admin", "--email", email, "--name", name])

    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith("lanyard: ")
    assert said in error
    assert error.count("\n") == 1
    assert here(only_user).role == "user"


def test_create_admin_takes_no_password_on_the_command_line() -> None:
    with pytest.raises(SystemExit) as left:
        main(["create-admin", "--email", "boss@example.com", "--name", "Bo", "--password", GOOD])

    assert left.value.code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
def test_create_admin_on_a_real_terminal_never_shows_the_password(here: Any, tmp_path: Path) -> None:
    """A process of its own that asks on its terminal, and finds nobody's help in its arguments."""
    os.environ["DATABASE_URL"], before = db.url(), os.environ["DATABASE_URL"]
    try:
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.execv(sys.executable, [sys.executable, "-m", "app", "create-admin"])
    finally:
        os.environ["DATABASE_URL"] = before
    seen = b""
    for question, answer in (
        (b"E-mail: ", "boss@example.com"), (b"Name: ", "Bo Boss"), (b"Password: ", GOOD), (b"Repeat password: ", GOOD),
    ):  # fmt: skip
        seen = read_until(terminal, seen, question)
        os.write(terminal, answer.encode() + b"\n")
    seen = read_until(terminal, seen, b"administrator.")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 0
    assert b"boss@example.com is now an administrator." in seen
    assert GOOD.encode() not in seen
    assert here(only_user).role == "admin"


def read_until(terminal: int, seen: bytes, awaited: bytes) -> bytes:
    deadline = time.monotonic() + 60
    while awaited not in seen and time.monotonic() < deadline:
        seen += os.read(terminal, 1024)
    assert awaited in seen
    return seen


@pytest.mark.parametrize("command", ["promote", "deactivate", "end-sessions", "remove-second-factor"])
def test_unknown_address_is_one_line(here: Any, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "nobody@example.com"]) == 1
    assert capsys.readouterr().err == "lanyard: there is no account with this address\n"


def test_promote(here: Any, capsys: pytest.CaptureFixture[str]) -> None:
    person: Person = here(make_user)

    codes = main(["promote", person.email.upper()]), main(["promote", person.email])

    first, second = capsys.readouterr().out.splitlines()
    assert codes == (0, 0)
    assert first.endswith("is now an administrator.")
    assert second.endswith("was already an administrator.")
    assert here(only_user).role == "admin"
    assert here(logged) == [(events.ROLE_CHANGED, None)]


def test_deactivate_ends_the_sessions(here: Any, capsys: pytest.CaptureFixture[str]) -> None:
    person: Person = here(make_user)
    here(lambda: start_session(person))

    assert main(["deactivate", person.email]) == 0

    assert not here(only_user).is_active
    assert here(lambda: db.fetch_value(sa.select(session_rows.c.revoked_for))) == events.DEACTIVATED


def test_last_admin_is_not_deactivated(here: Any, capsys: pytest.CaptureFixture[str]) -> None:
    admin: Person = here(lambda: make_user(role="admin"))

    assert main(["deactivate", admin.email]) == 1

    assert "is the only administrator" in capsys.readouterr().err
    assert here(only_user).is_active


def test_end_sessions_leaves_the_account_open(here: Any, capsys: pytest.CaptureFixture[str]) -> None:
    person: Person = here(make_user)
    here(lambda: start_session(person))

    assert main(["end-sessions", person.email]) == 0

    assert here(only_user).is_active
    assert here(lambda: db.fetch_value(sa.select(session_rows.c.revoked_for))) == events.ENDED_BY_ADMIN


def test_end_sessions_of_everybody_leaves_nobody_signed_in(
    here: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "BATCH", 2)
    for _ in range(5):
        here(signed_in)

    codes = main(["end-sessions", "--everybody"]), main(["end-sessions", "--everybody"])

    first, second = capsys.readouterr().out.splitlines()
    assert codes == (0, 0)
    assert (first[:19], second[:1]) == ("5 sessions ended: e", "0")
    assert here(lambda: db.fetch_value(sa.select(sa.func.count()).where(session_rows.c.revoked_at.is_(None)))) == 0
    assert here(logged) == [(events.SESSION_REVOKED, None)] * 5


@pytest.mark.parametrize("given", [[], ["--everybody", "a@example.com"]])
def test_end_sessions_says_whose(given: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["end-sessions", *given])

    assert left.value.code == 2


async def signed_in() -> None:
    await start_session(await make_user())


def test_second_step_is_turned_off_for_who_lost_everything(here: Any, capsys: pytest.CaptureFixture[str]) -> None:
    admin: Person = here(lambda: make_user(role="admin"))  # the only one: nobody else could do it
    here(lambda: with_a_phone(admin))

    codes = main(["remove-second-factor", admin.email]), main(["remove-second-factor", admin.email])

    first, second = capsys.readouterr().out.splitlines()
    assert codes == (0, 0)
    assert first.endswith("is now without two-factor authentication.")
    assert second.endswith("was already without two-factor authentication.")
    assert not here(lambda: is_on(admin))
    assert here(logged)[-1] == (events.SECOND_FACTOR_REMOVED, None)


@pytest.mark.parametrize("command", [["promote", "a@example.com"], ["seed"], ["create-admin"]])
def test_database_without_its_migrations_is_one_line(
    here: Any, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    db.point_at(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")

    assert main(command) == 1

    assert "migrations are pending" in capsys.readouterr().err


SHORT = "JBSWY3DPEHPK3PXP"


def test_authenticator_of_another_system_is_taken_over(
    here: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    person: Person = here(make_user)
    here(lambda: start_session(person))

    def imports(*more: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{SHORT}\n"))
        code = main(["import-authenticator", person.email, *more])
        said = capsys.readouterr()
        assert SHORT not in said.out + said.err
        return code, said.out + said.err

    refused, done, again = imports(), imports("--short"), imports("--short")

    assert (refused[0], done[0], again[0]) == (1, 0, 1)
    assert "RFC 4226 wants 128" in refused[1]
    assert "on already" in again[1]
    assert here(only_user).second_factor_at is not None
    assert here(lambda: second_factor.has_short_secret(person.id))
    assert here(details) == ["imported, 80 bits"]
    assert here(lambda: live_sessions(person)) == 0

    async def signs_in() -> Any:
        half = await login_flow.login(person.email, person.password)
        assert isinstance(half, login_flow.PendingLogin)
        now = await db.fetch_value(sa.select(db.now()))
        code = shown_by_the_app(SHORT, int(now.timestamp()) // 30)
        return await second_factor.sign_in(half.ticket, code)

    assert here(signs_in)


async def details() -> list[str]:
    rows = await db.fetch_all(sa.select(event_rows).where(event_rows.c.event == events.SECOND_FACTOR_ON))
    return [row.detail for row in rows]


async def live_sessions(person: Person) -> int:
    mine = session_rows.c.user_id == person.id, session_rows.c.revoked_at.is_(None)
    return len(await db.fetch_all(sa.select(session_rows).where(*mine)))


def shown_by_the_app(secret: str, step: int) -> str:
    """RFC 6238 by hand: the authenticator's library refuses so short a secret."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    return f"{int.from_bytes(digest[at : at + 4], 'big') % 2**31 % 10**6:06}"
