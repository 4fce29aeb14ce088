"""The commands as a person types them: what they say, and with which exit code they leave."""

import asyncio
import os
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from app import db
from app.__main__ import main
from app.auth.accounts import demo_accounts
from app.server import run
from app.settings import load_settings
from tests.support import database
from tests.support.server import free_port, running


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Other settings than those of the tests, for commands run in this process."""

    def set_up(**values: object) -> None:
        monkeypatch.setattr("app.server.run.get_settings", lambda: load_settings(**values))

    return set_up


@pytest.fixture
def point_at() -> Iterator[Callable[[Path | str], None]]:
    """Another SQLite file than that of the tests."""
    before = db.url()
    yield lambda file: db.point_at(f"sqlite+aiosqlite:///{file}")
    db.point_at(before)


@pytest.mark.parametrize(
    "command",
    [[], ["serve"], ["migrate"], ["migration"], ["routes"], ["prune"], ["seed"], ["create-admin"], ["promote"]],
)
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*command, "--help"])

    assert left.value.code == 0
    assert "usage: python -m app" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["serve", "--workers", "0"], ["serve", "--workers", "many"]])
def test_wrong_usage_leaves_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)

    assert left.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_routes_prints_a_guard_for_each_route(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["routes"])

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert lines[0] == ["METHOD", "PATH", "PERMISSION"]
    assert ["GET", "/dashboard", "SignedIn"] in lines
    assert all(len(line) == 3 for line in lines)


def test_taken_port_is_one_line_that_names_it(set_up: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        set_up(host="127.0.0.1", port=port)
        code = main(["serve"])

    assert code == 1
    assert capsys.readouterr().err == (
        f"lanyard: port {port} is taken; choose another one, such as PORT={port % 65535 + 1}\n"
    )


def test_address_of_another_machine_is_one_line(
    set_up: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(host="192.0.2.1", port=8000)

    code = main(["serve"])

    assert code == 1
    assert capsys.readouterr().err == (
        "lanyard: cannot listen on HOST=192.0.2.1 PORT=8000: Cannot assign requested address\n"
    )


@pytest.mark.parametrize("command", ["serve", "migrate", "prune"])
def test_database_that_cannot_be_opened_is_one_line(
    command: str,
    tmp_path: Path,
    set_up: Callable[..., None],
    point_at: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    point_at(in_the_way / "lanyard.db")
    set_up(port=free_port())

    code = main([command])

    said = capsys.readouterr().err
    assert code == 1
    assert said.startswith("lanyard: the database that DATABASE_URL names does not answer: ")
    assert said.count("\n") == 1


def test_migrating_twice_changes_nothing(
    tmp_path: Path, point_at: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    point_at(tmp_path / "lanyard.db")

    codes = main(["migrate"]), main(["migrate"])

    first, second = capsys.readouterr().out.splitlines()
    assert codes == (0, 0)
    assert first.endswith("new).")
    assert second == "The database is up to date."


def test_pruning_says_what_is_gone(
    tmp_path: Path, point_at: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    database.copy_to(tmp_path / "lanyard.db")
    point_at(tmp_path / "lanyard.db")

    code = main(["prune"])

    assert code == 0
    assert capsys.readouterr().out.startswith(
        "Deleted: 0 accounts, 0 mailed links, 0 sessions, 0 cache invalidations, 0 rate limit counters, "
        "0 forms, 0 emails, 0 void second factors"
    )


def test_production_warns_once_that_emails_wait() -> None:
    settings = {"APP_ENV": "production", "PUBLIC_ORIGIN": "http://127.0.0.1", "APP_ARGON2_MEMORY_KIB": "19456"}
    with running(**settings) as server:
        said = server.logged("MAIL_URL")

    assert said.count("MAIL_URL is not set: e-mails are not sent, they stay") == 1


def test_production_never_migrates_at_the_start(
    tmp_path: Path,
    set_up: Callable[..., None],
    point_at: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    point_at(tmp_path / "empty.db")
    set_up(env="production", argon2_memory_kib=19456, port=free_port())

    code = main(["serve"])

    assert code == 1
    assert "run `python -m app migrate` first" in capsys.readouterr().err


# v5.0.0-6.3.2
def test_production_refuses_to_start_with_a_published_password(
    tmp_path: Path,
    set_up: Callable[..., None],
    point_at: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    database.copy_to(tmp_path / "lanyard.db")
    point_at(tmp_path / "lanyard.db")
    asyncio.run(run._connected(demo_accounts.ensure()))
    set_up(env="production", argon2_memory_kib=19456, port=free_port())

    code = main(["serve"])

    assert code == 1
    assert "the published demo password of admin@example.com works here" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [1, 2])
def test_development_start_says_where_to_go_and_stops_in_order(workers: int) -> None:
    with running(workers=workers) as server:
        server.logged("Ctrl-C")
        os.killpg(server.process.pid, signal.SIGINT)  # as a terminal does it: to all processes at once
        code = server.process.wait(30)

    assert f"Lanyard is ready: {server.url}\n" in server.log()
    assert "admin@example.com" in server.log()
    assert "admin demo passphrase" in server.log()
    assert "COOKIE_INSECURE" not in server.log()
    assert "Traceback" not in server.log()
    assert code == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_every_address_is_that_of_ipv4_as_well(workers: int) -> None:
    """A client of IPv4 keeps its own spelling of its address: `--forwarded-allow-ips 127.0.0.1` must name it."""
    with running(workers=workers, HOST="::") as server:
        body = b'{"email": "nobody@example.com", "password": "wrong"}'
        for host, seen in (("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")):
            headers = {"Content-Type": "application/json", "Origin": f"http://{host}:{server.port}"}
            request = urllib.request.Request(f"http://{host}:{server.port}/api/auth/login", body, headers)
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(request)
            server.logged(rf' ip={re.escape(seen)} |"ip": "{re.escape(seen)}"')

    assert "::ffff:" not in server.log()


def test_port_that_is_taken_at_one_of_both_kinds_of_address_is_one_line(
    set_up: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        set_up(host="::", port=port)
        code = main(["serve"])
    with socket.create_server(("::1", port), family=socket.AF_INET6):
        pass  # what was opened before it failed is closed

    assert code == 1
    assert capsys.readouterr().err.startswith(f"lanyard: port {port} is taken")


def test_start_for_the_network_names_the_settings_that_other_devices_need() -> None:
    with running(HOST="0.0.0.0") as server:
        server.logged("Ctrl-C")
        request = urllib.request.Request(f"{server.url}/login", headers={"Host": f"192.168.1.7:{server.port}"})
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            urllib.request.urlopen(request)

    for said in (server.log(), refused.value.read().decode()):
        assert "PUBLIC_ORIGIN" in said
        assert "COOKIE_INSECURE" in said


def test_production_shows_anonymous_visitors_nothing_of_its_settings() -> None:
    settings = {"APP_ENV": "production", "PUBLIC_ORIGIN": "http://localhost", "APP_ARGON2_MEMORY_KIB": "19456"}
    with running(**settings, HOST="0.0.0.0") as server:
        request = urllib.request.Request(f"{server.url}/login", headers={"Host": "192.168.1.7"})
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            urllib.request.urlopen(request)

    assert "PUBLIC_ORIGIN" not in refused.value.read().decode() + server.log()


def test_insecure_cookies_are_warned_of_and_lose_prefix_and_secure() -> None:
    with running(COOKIE_INSECURE="true") as server:
        login = {"email": "user@example.com", "password": "user demo passphrase"}
        body = urlencode(login).encode()
        request = urllib.request.Request(f"{server.url}/login", body, {"Origin": server.url})
        opener = urllib.request.build_opener(_Stay)
        with opener.open(request) as answer:
            cookies = answer.headers.get_all("set-cookie")

    assert "COOKIE_INSECURE=true: anybody on the network" in server.log()
    assert sorted(cookie.split("=")[0] for cookie in cookies) == ["access", "device", "method", "refresh"]
    assert not [cookie for cookie in cookies if "Secure" in cookie]


class _Stay(urllib.request.HTTPRedirectHandler):
    """Take the redirect for the answer."""

    def http_error_303(self, _: Any, answer: Any, *__: Any) -> Any:
        return answer
