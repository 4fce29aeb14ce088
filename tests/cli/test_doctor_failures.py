"""Whatever is down, damaged or refused: the doctor names that alone, and ends in no traceback."""

import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from socket import SHUT_RDWR, create_connection, create_server, socket

import pytest
import trustme

from app.hosts import reached_at
from tests.cli.conftest import as_they_should_be
from tests.cli.examined import Report, examine
from tests.support import account, guardian
from tests.support.environment import ROOT
from tests.support.postgres import Postgres
from tests.support.server import free_port, running
from tests.support.sink import listening

pytestmark = pytest.mark.race

PASSWORDS = b"host all postgres all trust\nhost all all all scram-sha-256\n"
AWAY = "127.0.0.2"  # for the mail transport that is another machine, which has to encrypt
Url = Callable[[Postgres], str]


@pytest.fixture(scope="module")
def strict() -> Iterator[Postgres]:
    """A server that wants passwords, but of the superuser."""
    server = Postgres(files={"pg_hba.conf": PASSWORDS})
    server.start()
    server.execute("CREATE ROLE ann LOGIN PASSWORD 'right'")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One that is served, with nothing to fix: the settings for the doctor."""
    settings = as_they_should_be(tmp_path_factory.mktemp("site"))
    with listening() as sink, running(**settings):
        yield settings | {"MAIL_URL": sink.url, "MAIL_FROM": "site@example.com"}


@pytest.fixture
def file(settings: dict[str, str]) -> Path:
    """Of the database, which nobody serves."""
    return Path(settings["APP_ENV_FILE"]).with_name("lanyard.db")


def assert_alone(report: Report, what: str, words: str, *, beside: Sequence[str] = ()) -> None:
    """That one thing is wrong, said in one line, and the next one says how to mend it."""
    assert report.code == 1, report.text
    assert set(report.wrong) == {what, *beside}, report.text
    assert words in report.wrong[what][0]
    assert report.wrong[what][1]
    assert report.text.endswith(f"\n{1 + len(beside)} to fix.\n")


def test_site_as_it_should_be_has_nothing_to_fix(site: dict[str, str]) -> None:
    report = examine(site)

    assert (report.code, report.wrong) == (0, {}), report.text


DATABASES: dict[str, tuple[Url, str]] = {
    "down": (lambda _: f"postgresql://ann:hunter2@127.0.0.1:{free_port()}/lanyard", "connection refused"),
    "both down": (lambda _: f"postgresql://ann:hunter2@[::1]:{free_port()},[::1]:1/lanyard", "connection refused"),
    "wrong password": (lambda server: f"postgresql://ann:no@127.0.0.1:{server.port}/postgres", "user or password"),
    "no such user": (lambda server: f"postgresql://bob:no@127.0.0.1:{server.port}/postgres", "user or password"),
    "no such database": (lambda server: f"postgresql://postgres@127.0.0.1:{server.port}/no", "database does not exist"),
    "unknown host": (lambda _: "postgresql://ann@no.invalid/lanyard", "does not resolve"),
    "no TLS": (lambda server: f"{server.url}?sslmode=require", "does not support TLS"),
    "no file": (lambda _: "sqlite:////nowhere/lanyard.db", "does not exist yet"),
}


@pytest.mark.parametrize("failure", DATABASES)
def test_database_that_lets_nobody_in(site: dict[str, str], strict: Postgres, failure: str) -> None:
    url, words = DATABASES[failure]

    report = examine(site | {"DATABASE_URL": url(strict)})

    assert_alone(report, "database", words)
    assert "hunter2" not in report.text
    assert not Path("/nowhere").exists()


def test_database_that_never_answers(site: dict[str, str], strict: Postgres) -> None:
    strict.freeze()
    report = examine(site | {"DATABASE_URL": strict.url})
    strict.thaw()

    assert_alone(report, "database", "timed out")


def test_server_without_our_tables(site: dict[str, str], strict: Postgres) -> None:
    report = examine(site | {"DATABASE_URL": strict.url})

    assert_alone(report, "migrations", "pending")


def test_of_several_hosts_one_is_down(site: dict[str, str], strict: Postgres) -> None:
    """The site lives on; users of the other one should know."""
    gone = f"127.0.0.1:{free_port()}"

    report = examine(site | {"DATABASE_URL": f"postgresql://postgres@127.0.0.1:{strict.port},{gone}/postgres"})

    assert f"note   hosts      {gone} does not answer: connection refused" in report.text


def overwrite(file: Path) -> None:
    """In the middle, as a disk that fails."""
    with file.open("r+b") as pages:
        pages.seek(5 * 4096)
        pages.write(b"\xff" * 4096 * 20)


def cut_off(file: Path) -> None:
    with file.open("r+b") as pages:
        pages.truncate(30 * 4096 + 100)


FILES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "not ours to read": (lambda file: file.chmod(0), "database", "the file cannot be opened"),
    "not ours to write": (lambda file: file.chmod(0o400), "writing", "it is read-only"),
    "in a folder that is not ours": (lambda file: file.parent.chmod(0), "database", "the file cannot be opened"),
    "overwritten in the middle": (overwrite, "database", "is damaged"),
    "cut off": (cut_off, "database", "is damaged"),
    "no database at all": (lambda file: file.write_bytes(b"no database " * 1000), "database", "is damaged"),
    "empty": (lambda file: file.write_bytes(b""), "migrations", "pending"),
}


@pytest.mark.parametrize("failure", FILES)
def test_file_of_sqlite(settings: dict[str, str], file: Path, failure: str) -> None:
    spoil, what, words = FILES[failure]
    settings["APP_ENV_FILE"] = os.devnull
    spoil(file)

    report = examine(settings, before=account.unprivileged)
    file.parent.chmod(0o700)

    assert_alone(report, what, words, beside=["site", "mail"])


@contextmanager
def greeting(said: bytes, host: str = "127.0.0.1") -> Iterator[int]:
    """A program that says this to everyone, whatever they ask; its port."""
    with create_server((host, 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    visitor: socket = listener.accept()[0]
                except OSError:
                    return
                with visitor:
                    visitor.sendall(said)
                    visitor.recv(65536)

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(SHUT_RDWR)


def context() -> ssl.SSLContext:
    """Of a server that no authority of this machine vouches for."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(AWAY).configure_cert(made)
    return made


@contextmanager
def mail_down() -> Iterator[str]:
    yield f"smtp://127.0.0.1:{free_port()}"


@contextmanager
def mail_refusing() -> Iterator[str]:
    with greeting(b"554 no service for you\r\n") as port:
        yield f"smtp://127.0.0.1:{port}"


@contextmanager
def mail_without_tls() -> Iterator[str]:
    with listening(AWAY) as sink:
        yield sink.url


@contextmanager
def mail_that_nobody_vouches_for() -> Iterator[str]:
    with listening(AWAY, tls=context()) as sink:
        yield sink.url


@contextmanager
def mail_in_the_open() -> Iterator[str]:
    """SMTP where TLS is expected from the first byte on."""
    with listening(AWAY) as sink:
        yield sink.url.replace("smtp:", "smtps:")


@contextmanager
def mail_unknown() -> Iterator[str]:
    yield "smtp://no.invalid"


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (mail_down, "Connect call failed"),
        (mail_refusing, "no service for you"),
        (mail_without_tls, "STARTTLS"),
        (mail_that_nobody_vouches_for, "certificate verify failed"),
        (mail_in_the_open, "SSL"),
        (mail_unknown, "no.invalid"),
    ],
)
def test_mail_server(site: dict[str, str], server: Callable[[], AbstractContextManager[str]], words: str) -> None:
    with server() as url:
        report = examine(site | {"MAIL_URL": url})

    assert_alone(report, "mail", words)


OTHERS = {
    "another site": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a proxy without a server": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "no http": b"220 hello\r\n",
}


@pytest.mark.parametrize("other", OTHERS)
def test_address_of_the_site_leads_elsewhere(site: dict[str, str], other: str) -> None:
    with greeting(OTHERS[other]) as port:
        report = examine(site | {"PUBLIC_ORIGIN": f"http://localhost:{port}"})

    assert_alone(report, "site", f"http://localhost:{port}")


@pytest.mark.parametrize("origin", ["http://localhost:{}", "https://no.invalid", f"https://{'a' * 64}.example"])
def test_address_of_the_site_leads_nowhere(site: dict[str, str], origin: str) -> None:
    report = examine(site | {"PUBLIC_ORIGIN": origin.format(free_port())})

    assert_alone(report, "site", "cannot be reached")


@pytest.mark.parametrize("host", ["127.0.0.3", "::1", "::"])
def test_site_is_found_at_the_address_where_it_listens(settings: dict[str, str], host: str) -> None:
    """The settings of the tests' server are the doctor's, so it asks that address."""
    settings |= {"HOST": host}
    with as_served(settings):
        report = examine(settings)

    assert re.search(
        rf"^ok +port +{host}:{settings['PORT']} is in use by this application$", report.text, re.MULTILINE
    ), report.text


def test_port_is_taken_by_another_program(site: dict[str, str]) -> None:
    with greeting(OTHERS["no http"], AWAY) as port:
        report = examine(site | {"HOST": AWAY, "PORT": str(port)})

    assert_alone(report, "port", "is taken by another program")


@contextmanager
def as_served(settings: dict[str, str]) -> Iterator[None]:
    """At the address of HOST, where the tests' own way to start a server does not look."""
    command = [sys.executable, "-m", "app", "serve"]
    process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    guardian.watch(process.pid)
    try:
        while process.poll() is None:
            try:
                create_connection((reached_at(settings["HOST"]), int(settings["PORT"])), timeout=10).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)
        guardian.forget(process.pid)
