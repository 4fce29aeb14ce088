"""Addresses in the forms that hosting companies print, against a real server: each works, or is refused in one line."""

import asyncio
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
import trustme

from app import __main__ as app
from app import db
from app.database_urls import parsed
from tests.support import database as databases
from tests.support import postgres
from tests.support.encrypted import Front, encrypting
from tests.support.environment import ROOT
from tests.support.ports import free_port
from tests.support.postgres import Postgres

pytestmark = [
    pytest.mark.race,
    pytest.mark.skipif(databases.POSTGRESQL, reason="has servers of its own, and runs beside SQLite"),
]

PASSWORD = "p@ss/w:rd #1?%ö"
HBA = b"""\
local all all trust
host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all certified 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
ROLES = ("ann", "certified", '"ann@server"')

# Form of the address -> whether it is spoken through TLS.
WORK = {
    "postgres://ann:{password}@{host}:{port}/lanyard": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard": True,
    "postgresql+asyncpg://ann:{password}@{host}:{port}/lanyard": True,
    "postgres://ann:{password}@{host}:{port}/lanyard?sslmode=require": True,
    "postgres://ann:{password}@{host}:{port}/lanyard?sslmode=prefer": True,
    "postgres://ann:{password}@{host}:{port}/lanyard?sslmode=allow": False,
    "postgres://ann:{password}@{host}:{port}/lanyard?sslmode=disable": False,
    "postgresql://ann%40server:{password}@{host}:{port}/lanyard?sslmode=require": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslmode=require&channel_binding=require": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslmode=require&options=-c%20geqo%3Doff": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslmode=verify-full": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslmode=verify-full&sslrootcert=system": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslmode=verify-full&sslrootcert={authority}": True,
    "postgresql://ann:{password}@127.0.0.1:{port}/lanyard?sslmode=verify-ca&sslrootcert={authority}": True,
    "postgresql://certified@127.0.0.1:{port}/lanyard?sslmode=verify-ca"
    "&sslrootcert={authority}&sslcert={certificate}&sslkey={key}": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard?application_name=Lanyard&connect_timeout=15": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard?pgbouncer=true": True,
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslmode=require&target_session_attrs=read-write": True,
    "postgresql://ann@/lanyard?host={folder}/a:region:b&port={inside}": False,
    "postgresql://ann@%2F{socket}:{inside}/lanyard?sslmode=require": False,
    "postgres://ann:{password}@{host}:{nobody},{host}:{port}/lanyard?sslmode=verify-full": True,
    "postgresql://ann:{password}@{host}:{replica},{host}:{port}/lanyard?target_session_attrs=read-write": True,
    "postgresql://ann:{password}@{host}:{replica},{host}:{port}/lanyard?target_session_attrs=primary": True,
    "postgresql://ann:{password}@/lanyard?host={host}:{replica}&host={host}:{port}": True,
    "postgresql://ann:{password}@/lanyard?host={host},{host}&port={replica},{port}&sslmode=require": True,
}
# Form -> what the line says.
REFUSED = {
    "jdbc:postgresql://{host}:{port}/lanyard?user=ann&password={password}": "begins with postgresql://",
    "prisma://{host}/?api_key={password}": "begins with postgresql://",
    "postgresql+psycopg2://ann:{password}@{host}:{port}/lanyard": "begins with postgresql://",
    "postgres://ann:{password}@{host}:{port}/lanyard?sslmode=no-verify": "use one of disable",
    "postgres://ann:{password}@{host}:{port}/lanyard?ssl=true": "write sslmode=require",
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslaccept=strict": "write sslmode=verify-full",
    "postgresql://ann:{password}@{host}:{port}/lanyard?pgbouncer=true&connection_limit=1": "APP_DATABASE_POOL_SIZE",
    "postgresql://ann:{password}@{host}:{port}/lanyard?schema=public": "the schema public",
    "postgres://ann:{password}@{host}:{port}/lanyard?sslmode=require&supa=base-pooler.x": "means nothing here, supa",
    "postgresql://ann:{password}@{host}:{port}/lanyard?load_balance=true": "means nothing here, load_balance",
    "postgresql://ann:{password}@/lanyard?hostaddr=127.0.0.1": "in place of the host",
    "postgresql://ann:{password}@{host}:{port}/lanyard?connect_timeout=0": "whole seconds",
    "postgresql://ann:{password}@{host}:{port}/lanyard?target_session_attrs=prefer-standby": "this application writes",
    "postgresql://ann:p@ss/w:rd@{host}:{port}/lanyard": "written as",
    "postgresql://ann:100%@{host}:{port}/lanyard": "written as %25",
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslmode=verify-full&sslrootcert=/nowhere.pem": "/nowhere.pem",
    "postgresql://ann:{password}@{host}:{port}/lanyard?sslmode=require&sslcert=/no.pem&sslkey=/no.key": "/no.pem",
}
COMMANDS = [
    ["serve"],
    ["migrate"],
    ["migration", "add projects", "--dry-run"],
    ["generate", "feature", "projects", "title:str", "--dry-run"],  # generate
    ["destroy", "feature", "projects", "--dry-run"],  # generate
    ["eject", "--dry-run"],  # eject
    ["routes"],
    ["shell"],
    ["prune"],
    ["doctor"],
    ["seed"],
    ["create-admin", "--email", "a@example.com", "--name", "A"],
    ["promote", "a@example.com"],
    ["deactivate", "a@example.com"],
    ["end-sessions", "a@example.com"],
    ["end-sessions", "--everybody"],
    ["remove-second-factor", "a@example.com"],
    ["import-authenticator", "a@example.com"],
]
WITHOUT_DATABASE = {"rotate-keys", "upgrade-notes"}  # secrets where they are stored; two changelogs


@dataclass(frozen=True)
class Place:
    """A server that has TLS, its replica, and what the forms are filled with."""

    words: dict[str, str]
    authority: Path
    front: Front

    def address(self, form: str) -> str:
        return form.format(**self.words)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    served, shown = authority.issue_cert("localhost"), authority.issue_cert("certified")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    shown.private_key_pem.write_to_path(folder / "key.pem")
    shown.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = Postgres(files={"pg_hba.conf": HBA}, sockets="a:region:b")
    server.start()
    for role in ROLES:
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    server.execute("CREATE DATABASE lanyard")
    replica = Postgres(of=server)
    replica.start()
    with encrypting(server.port, context) as front, encrypting(replica.port, context) as other:
        words = {
            "password": quote(PASSWORD, safe=""),
            "host": "localhost",
            "port": front.port,
            "replica": other.port,
            "nobody": free_port(),
            "folder": server.folder,
            "socket": quote(f"{server.folder}/a:region:b".lstrip("/"), safe=""),
            "inside": server.port,
            "authority": folder / "authority.pem",
            "certificate": folder / "certificate.pem",
            "key": folder / "key.pem",
        }
        yield Place({name: str(word) for name, word in words.items()}, folder / "authority.pem", front)
    replica.stop()
    server.stop()


@pytest.fixture
def trusted(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system trusts our authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(place.authority))
    before = db.url()
    yield
    db.point_at(before)


@pytest.mark.parametrize("form", WORK)
def test_form_works_for_serving_and_for_migrating(place: Place, trusted: None, form: str) -> None:
    before = len(place.front.names)
    db.point_at(place.address(form))

    name, read_only = asyncio.run(who_serves())
    pending = db.pending()

    assert (name in [role.strip('"') for role in ROLES], read_only) == (True, "off")
    assert pending == db.known()[::-1]
    shown = place.front.names[before:]
    assert bool(shown) is WORK[form]
    assert set(shown) <= {name if name == "certified" else ""}


@pytest.mark.parametrize("form", [form for form in WORK if not re.search("sslmode=(?!allow|prefer|disable)", form)])
def test_form_works_for_the_programs_of_postgresql(place: Place, form: str) -> None:
    """Those out of the wheel know no TLS; what they would be told stands in test_urls."""
    said = parsed(place.address(form)).environment()
    command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command=SELECT pg_is_in_recovery()"]

    answer = subprocess.run(command, env=postgres.clients() | said, capture_output=True, text=True)

    assert (answer.stdout, answer.stderr) == ("f\n", "")


@pytest.mark.parametrize("form", REFUSED)
def test_form_is_refused_in_one_line(place: Place, form: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        db.Database(place.address(form))

    assert REFUSED[form] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_commands_are_all_of_them() -> None:
    assert {command[0] for command in COMMANDS} | WITHOUT_DATABASE == set(app.COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_alike(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", *command],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": "postgres://ann:hunter2@db/lanyard?ssl=true"},
        capture_output=True, text=True,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lanyard: DATABASE_URL has an option that means nothing here, ssl: write sslmode=")
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


def test_server_with_an_untrusted_certificate_is_refused(place: Place) -> None:
    """The authorities of this machine have never heard of ours, and its name is no other one's."""
    before = db.url()
    for form, says in {
        "postgresql://ann:{password}@localhost:{port}/lanyard?sslmode=verify-full": "self-signed certificate",
        "postgresql://ann:{password}@127.0.0.1:{port}/lanyard?sslmode=verify-full&sslrootcert={authority}": "mismatch",
    }.items():
        db.point_at(place.address(form))
        with pytest.raises(db.Unavailable, match=says):
            db.pending()
    db.point_at(before)


def test_replica_alone_is_no_server_for_who_wants_to_write(place: Place) -> None:
    before = db.url()
    db.point_at(place.address("postgresql://ann:{password}@{host}:{replica},{host}:{replica}/lanyard"))

    with pytest.raises(db.Unavailable, match="NoServerTakesWrites"):
        db.pending()
    db.point_at(before)


async def who_serves() -> tuple[str, str]:
    await db.connect()
    try:
        row = await db.fetch_one(sa.text("SELECT current_user, current_setting('transaction_read_only')"))
    finally:
        await db.disconnect()
    return row[0], row[1]
