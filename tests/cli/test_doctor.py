"""The doctor finds each mistake that is planted, says how to mend it, and finds nothing where nothing is wrong."""

import asyncio
import contextlib
import json
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosmtpd.controller
import pytest
import trustme
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult

from app import db
from app.auth.accounts import demo_accounts
from app.cli.doctor import site as visited
from app.db.database import STATEMENT_SECONDS
from tests.cli.conftest import STRONG
from tests.cli.examined import examine
from tests.support import mail_api, postgres
from tests.support.environment import ROOT
from tests.support.people import make_user
from tests.support.phone import with_a_phone
from tests.support.programs import pooling
from tests.support.proxy import CADDYFILE, proxying
from tests.support.server import Server, free_port, running

pytestmark = pytest.mark.race

AN_HOUR_AHEAD = """\
import sys
from datetime import timedelta
from app import db
from app.__main__ import main
db.utcnow = lambda utcnow=db.utcnow: utcnow() + timedelta(hours=1)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"PUBLIC_ORIGIN": "https://localhost:1"},
            "ok    device  sessions are bound to their device where the browser can",
        ),
        ({"APP_DEVICE_BOUND": "off"}, "note  device  sessions are not bound: APP_DEVICE_BOUND=off"),
        ({}, "note  device  no browser binds sessions over plain http"),
    ],
)
def test_whether_sessions_are_bound_to_their_device_is_said(
    settings: dict[str, str], given: dict[str, str], said: str
) -> None:
    report = examine(settings | given)

    assert said.split() in [line.split() for line in report.text.splitlines()]


def test_json_says_what_the_text_says(settings: dict[str, str]) -> None:
    text = examine(settings)
    done = subprocess.run(
        [sys.executable, "-m", "app", "doctor", "--json"], cwd=ROOT, env=settings, capture_output=True, text=True
    )

    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (text.code, "")
    assert report["wrong"] == len(text.wrong)
    found = {each["what"]: (each["says"], each["fix"]) for each in report["findings"] if each["state"] == "wrong"}
    assert found == text.wrong
    assert {each["what"] for each in report["findings"]} == text.seen
    assert all(each.keys() == {"state", "what", "says", "fix"} for each in report["findings"])


def test_key_of_a_mail_provider_is_asked_for_and_not_repeated(settings: dict[str, str], tmp_path: Path) -> None:
    key, authority = "re_123456/quite-secret", trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    given = settings | {"SSL_CERT_FILE": str(tmp_path / "authority.pem"), "MAIL_FROM": "desk@mail.example"}
    with mail_api.listening(context) as api:
        given["MAIL_URL"] = api.url("resend", quote(key, safe=""))
        good = examine(given)
        api.answer = (401, {"name": "validation_error", "message": f"{key} is invalid"}, {})
        bad = examine(given)

    assert "mail" not in good.wrong
    assert "127.0.0.1 accepts e-mails " in good.text
    assert "401 validation_error *** is invalid" in bad.wrong["mail"][0]
    assert key not in good.text + bad.text
    assert [(method, path) for method, path, _, _ in api.asked] == [("GET", "/domains")] * 2


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_of_a_setting_is_repeated(settings: dict[str, str], form: list[str]) -> None:
    """Not even where a mail server's own sentence repeats it."""
    password = "quite/a@secret of mine"
    token = "m7Kq!xZ2rT9vYb4NpLc8WdHs5GfJ3uEa"

    def refuse(*_: Any) -> AuthResult:
        return AuthResult(success=False, handled=False, message=f"535 {password} is wrong, and {token}, and {STRONG}")

    port = free_port()
    controller = aiosmtpd.controller.Controller(
        Sink(), hostname="127.0.0.1", port=port, authenticator=refuse, auth_require_tls=False
    )
    controller.start()
    try:
        url = f"smtp://robin:{quote(password, safe='')}@127.0.0.1:{port}"
        given = settings | {"MAIL_URL": url, "APP_METRICS_TOKEN": token}
        done = subprocess.run(
            [sys.executable, "-m", "app", "doctor", *form], cwd=ROOT, env=given, capture_output=True, text=True
        )
    finally:
        controller.stop()

    assert "*** is wrong, and ***, and ***" in done.stdout
    for secret in (password, quote(password, safe=""), token, STRONG):
        assert secret not in done.stdout + done.stderr


def test_mistakes_on_this_machine_are_found(settings: dict[str, str]) -> None:
    Path(settings["APP_ENV_FILE"]).chmod(0o644)
    fill(settings["DATABASE_URL"], demo_accounts.ensure)
    beside = Path(settings["APP_ENV_FILE"]).with_name("lanyard.db-shm")
    beside.touch()
    beside.chmod(0o644)

    with socket.create_server(("127.0.0.1", int(settings["PORT"]))):
        report = examine(
            settings | {"PUBLIC_ORIGIN": "http://127.0.0.1:1", "MAIL_URL": f"smtp://127.0.0.1:{free_port()}"}
        )

    assert report.code == 1
    assert f"fix: chmod 600 {settings['APP_ENV_FILE']}" in report.text
    assert f"fix: chmod 600 {beside}" in report.text
    assert "another program" in report.wrong["port"][0]
    assert report.wrong["port"][1] == f"stop it, or choose PORT={int(settings['PORT']) + 1}"
    assert report.wrong["address"][1] == "PUBLIC_ORIGIN=http://localhost:1"
    assert "admin@example.com" in report.wrong["accounts"][0]
    assert "does not accept e-mails" in report.wrong["mail"][0]
    assert "cannot be reached" in report.wrong["site"][0]


def test_secret_that_encrypted_the_second_factors_is_missed(settings: dict[str, str]) -> None:
    """They were turned on under the secret of the tests, which this site has never heard of."""

    async def two_admins() -> None:
        await with_a_phone(await make_user(role="admin"))
        await make_user(role="admin")

    fill(settings["DATABASE_URL"], two_admins)

    report = examine(settings)

    assert report.wrong["factors"] == (
        "authenticator apps and passkeys that no configured secret can decrypt: 1",
        "add the secret that encrypted them to APP_VERIFYING_SECRET_KEYS",
    )
    assert re.search("^note +admins +administrators without two-factor authentication: 1$", report.text, re.MULTILINE)
    known = examine(settings | {"APP_VERIFYING_SECRET_KEYS": os.environ["APP_SECRET_KEY"]})
    assert "factors" not in known.wrong


def test_accounts_with_a_role_that_is_gone_are_found(settings: dict[str, str]) -> None:
    async def auditors() -> None:
        for _ in range(2):
            await make_user(role="auditor")

    fill(settings["DATABASE_URL"], auditors)

    report = examine(settings)

    assert re.search("^note +roles +accounts with the role 'auditor', .*: 2$", report.text, re.MULTILINE)
    assert "roles" not in report.wrong


def test_migrations_that_have_not_run_and_emails_that_cannot_go_out_are_found(
    settings: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "empty.db").touch(mode=0o600)
    empty = f"sqlite:///{tmp_path / 'empty.db'}"

    report = examine(
        settings | {"DATABASE_URL": empty, "PUBLIC_ORIGIN": "https://localhost:1", "COOKIE_INSECURE": "true"}
    )

    assert report.wrong["migrations"][1] == "python -m app migrate"
    assert "MAIL_URL=" in report.wrong["mail"][1]
    assert report.wrong["cookies"][1] == "remove COOKIE_INSECURE"


def test_database_that_does_not_answer_is_found(settings: dict[str, str]) -> None:
    nowhere = f"postgresql://somebody:hunter2@127.0.0.1:{free_port()}/lanyard"

    report = examine(settings | {"DATABASE_URL": nowhere})

    assert "does not answer" in report.wrong["database"][0]
    assert "hunter2" not in report.text


@pytest.mark.parametrize(
    ("damage", "what", "says"),
    [
        ("DROP TABLE authenticators", "database", "no such table"),
        ("DROP TABLE alembic_version", "migrations", "pending"),
        ("no database", "database", "is damaged: file is not a database"),
        ("a folder", "database", "does not answer"),
    ],
)
def test_damaged_database_is_a_finding_and_the_rest_is_looked_at(
    settings: dict[str, str], damage: str, what: str, says: str
) -> None:
    file = Path(settings["APP_ENV_FILE"]).with_name("lanyard.db")
    if damage == "no database":
        file.write_bytes(b"not a database " * 100)
    elif damage == "a folder":
        file.unlink()
        file.mkdir()
    else:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute(damage)

    report = examine(settings)

    assert says in report.wrong[what][0]
    assert {"mail", "site"} <= report.seen


# v5.0.0-13.2.2
def test_superuser_too_many_connections_and_a_wrong_clock_are_found(settings: dict[str, str]) -> None:
    """The tests' PostgreSQL has 200 connections, its `postgres` may do everything, and its clock is right."""
    wanted = {"DATABASE_URL": postgres.fresh(), "APP_DATABASE_POOL_SIZE": "20"}

    report = examine(settings | wanted, "--workers", "12", program=("-c", AN_HOUR_AHEAD))

    assert "3600 seconds apart" in report.wrong["clock"][0]
    assert "is a superuser" in report.wrong["role"][0]
    assert report.wrong["role"][1].endswith("deploy/roles.sql")
    assert report.wrong["pool"][0].startswith("12 workers x 20 connections + 5 spare = 245, of 19")
    assert report.wrong["pool"][1].startswith("APP_DATABASE_POOL_SIZE=16")


@pytest.fixture
def sink() -> Iterator[str]:
    """A mail server on this machine, which needs no TLS."""

    class Takes:
        async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - the name aiosmtpd calls
            return "250 taken"

    controller = aiosmtpd.controller.Controller(Takes(), hostname="127.0.0.1", port=free_port())
    controller.start()
    yield f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


@contextmanager
def site(settings: dict[str, str], caddyfile: Path = CADDYFILE, proxies: str = "127.0.0.1") -> Iterator[dict[str, str]]:
    """A server behind Caddy with TLS; yields the settings for the doctor."""
    with ExitStack() as stack:
        port, inside, plain = free_port(), free_port(), free_port()
        origin = f"https://localhost:{port}"
        ours = settings | {"PUBLIC_ORIGIN": origin, "PORT": str(inside), "MAIL_FROM": "site@example.com"}
        started: Server = stack.enter_context(running(arguments=["--forwarded-allow-ips", proxies], **ours))
        proxy = stack.enter_context(
            proxying(origin, f"127.0.0.1:{started.port}", plain_port=plain, caddyfile=caddyfile)
        )
        yield ours | {"SSL_CERT_FILE": str(proxy.authority)}


def test_site_that_is_set_up_well_has_nothing_to_fix(settings: dict[str, str], sink: str) -> None:
    with site(settings | {"MAIL_URL": sink}) as ours:
        report = examine(ours, "--forwarded-allow-ips", "127.0.0.1")

        assert report.code == 0, report.text
        assert not report.wrong
        assert "the visitor's own IP address is used (127.0.0.2)" in report.text
        assert {"tls", "cookies", "proxy", "mail", "clock", "migrations", "database", "port"} <= report.seen

        without = examine({name: value for name, value in ours.items() if name != "SSL_CERT_FILE"})
        assert "install a certificate for this name that browsers trust" in without.wrong["tls"][1]


def test_role_that_serves_in_production_can_do_no_more_than_that(settings: dict[str, str]) -> None:
    report = examine(settings | {"DATABASE_URL": postgres.fresh_for_the_site()}, "--workers", "3")

    assert not {"role", "pool", "clock", "migrations", "database"} & set(report.wrong), report.text
    assert "lanyard_app has only the privileges" in report.text


def test_database_that_takes_no_writes_is_found(settings: dict[str, str]) -> None:
    url = postgres.fresh()
    name = url.rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    report = examine(settings | {"DATABASE_URL": url})

    assert report.wrong["writing"][0] == f"127.0.0.1/{name} is read-only: nobody can sign in or out"


@pytest.mark.ops
def test_pooler_is_named_and_what_it_keeps_from_the_server_is_found(settings: dict[str, str]) -> None:
    with pooling(postgres.fresh(), "transaction") as url:
        report = examine(settings | {"DATABASE_URL": url}, "--workers", "40")

    assert "pool" not in report.wrong, "a server of 200 connections is enough for 400 in transaction mode"
    assert "note   pool       400 connections to the pooler" in report.text
    says, fix = report.wrong["bounds"]
    assert "the database is behind a pooler such as PgBouncer; statement_timeout is 0" in says
    assert "ALTER ROLE postgres SET statement_timeout = '9s'; ALTER ROLE postgres SET idle_in_transaction" in fix


@pytest.mark.ops
def test_bounds_of_the_role_that_serves_reach_the_server_through_a_pooler(settings: dict[str, str]) -> None:
    with pooling(postgres.fresh_for_the_site(), "transaction") as url:
        report = examine(settings | {"DATABASE_URL": url})

    assert "bounds" not in report.wrong, report.text
    assert f"statement_timeout is {STATEMENT_SECONDS}s, idle_in_transaction_session_timeout is 9s" in report.text


def test_proxy_that_is_not_believed_is_found(settings: dict[str, str]) -> None:
    with site(settings, proxies="127.0.0.9") as ours:
        report = examine(ours)

    assert "all visitors appear as 127.0.0.1" in report.wrong["proxy"][0]
    assert "--forwarded-allow-ips 127.0.0.1" in report.wrong["proxy"][1]


def test_proxy_that_asks_under_a_name_of_its_own_is_found(settings: dict[str, str], tmp_path: Path) -> None:
    """As nginx does with a bare `proxy_pass`."""
    own = tmp_path / "Caddyfile"
    said = "\t\tlb_policy least_conn\n"
    own.write_text(CADDYFILE.read_text().replace(said, f"{said}\t\theader_up Host backend\n"))

    with site(settings, own) as ours:
        report = examine(ours)

    assert "sends another Host header" in report.wrong["host"][0]
    assert f"pass on the Host header: {ours['PUBLIC_ORIGIN'].removeprefix('https://')} " in report.wrong["host"][1]
    assert "cookies" not in report.wrong


def test_proxy_that_lets_visitors_choose_and_cuts_cookies_is_found(settings: dict[str, str], tmp_path: Path) -> None:
    careless = tmp_path / "Caddyfile"
    said = "\t\tlb_policy least_conn\n"
    careless.write_text(
        CADDYFILE.read_text().replace(
            said,
            f"{said}\t\theader_up X-Forwarded-For {{http.request.header.X-Forwarded-For}}\n"
            '\t\theader_down Set-Cookie "; HttpOnly" ""\n\t\theader_down -Strict-Transport-Security\n',
        )
    )

    with site(settings, careless) as ours:
        report = examine(ours)

    assert "a visitor can forge the IP address" in report.wrong["proxy"][0]
    assert "without httponly" in report.wrong["cookies"][0]
    assert "Strict-Transport-Security" in report.wrong["headers"][1]


def fill(url: str, work: Callable[[], Awaitable[Any]]) -> None:
    async def connected() -> None:
        await db.connect()
        try:
            await work()
        finally:
            await db.disconnect()

    before = db.url()
    db.point_at(url)
    asyncio.run(connected())
    db.point_at(before)


@pytest.mark.parametrize(
    ("kind", "body", "listed"),
    [
        ("application/json", b'{"origins": ["https://a.example", "https://new.example"]}', True),
        ("application/json; charset=utf-8", b'{"origins": ["https://new.example"]}', True),
        ("text/plain", b'{"origins": ["https://new.example"]}', False),
        ("application/json", b'{"origins": ["https://a.example"]}', False),
        ("application/json", b'{"origins": null}', False),
        ("application/json", b'["https://new.example"]', False),
        ("application/json", b"<h1>Moved</h1>", False),
    ],
)
def test_list_of_related_origins_is_read_as_a_browser_reads_it(kind: str, body: bytes, listed: bool) -> None:
    assert visited.lists(kind, body, "https://new.example") == listed
