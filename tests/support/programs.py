"""Programs that stand around the application: PgBouncer, HAProxy, nginx, as Debian has them, on the loopback interface.

Where one is missing its tests are skipped, and under `make ops` they fail.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support import guardian
from tests.support.ports import free_port

READY_SECONDS = 20
STOP_SECONDS = 10
PASSWORD = "a password of the pooler"
PGBOUNCER = """\
[databases]
* = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = md5
auth_file = {folder}/userlist.txt
pool_mode = {mode}
{more}
"""
# The addresses of one database: the name "postgresql" leads to the server that `lead_to` names.
HAPROXY = """\
global
    stats socket {folder}/commands mode 600 level admin
    stats timeout 2m

defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h

listen postgresql
    bind 127.0.0.1:{port}
{servers}
"""


def needed(name: str) -> str:
    """The path of the program. Skips the test, or fails it, where there is none."""
    found = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin")
    if found:
        return found
    said = f"{name} is missing: apt-get install {name}"
    if os.environ.get("NEED_PROGRAMS"):
        pytest.fail(said)
    raise pytest.skip.Exception(said)


@contextmanager
def pooling(url: str, mode: str, *more: str) -> Iterator[str]:
    """PgBouncer before that server; yields the address to use instead. `more`: lines of its configuration."""
    parts, port = urlsplit(url), free_port()
    with folder_for_programs() as folder:
        (folder / "userlist.txt").write_text(f'"{parts.username}" "{PASSWORD}"\n')
        settings = PGBOUNCER.format(server=parts.port, port=port, folder=folder, mode=mode, more="\n".join(more))
        (folder / "pgbouncer.ini").write_text(settings)
        with started([needed("pgbouncer"), str(folder / "pgbouncer.ini")], port, folder):
            password = PASSWORD.replace(" ", "%20")
            yield f"postgresql://{parts.username}:{password}@127.0.0.1:{port}{parts.path}"


class Balancer:
    """HAProxy in front of database servers; it leads to the one that the test selects, as after a promotion."""

    def __init__(self, port: int, folder: Path, ports: list[int]) -> None:
        self.port, self._folder, self._ports = port, folder, ports

    def lead_to(self, port: int, *, cut: bool = True) -> None:
        """To this server from now on. `cut`: connections to the others, too, as with on-marked-down shutdown-sessions.

        A name of DNS that leads elsewhere cuts none.
        """
        for each in self._ports:
            self._say(f"set server postgresql/at{each} state {'ready' if each == port else 'maint'}")
            if each != port and cut:
                self._say(f"shutdown sessions server postgresql/at{each}")

    def _say(self, command: str) -> None:
        with socket.socket(socket.AF_UNIX) as commands:
            commands.connect(str(self._folder / "commands"))
            commands.sendall(f"{command}\n".encode())
            answer = commands.recv(4096).strip()
        assert not answer, answer


@contextmanager
def balancing(*ports: int) -> Iterator[Balancer]:
    """HAProxy before these servers; it leads to the first one."""
    port = free_port()
    servers = "\n".join(f"    server at{each} 127.0.0.1:{each}" for each in ports)
    with folder_for_programs() as folder:
        (folder / "haproxy.cfg").write_text(HAPROXY.format(folder=folder, port=port, servers=servers))
        with started([needed("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")], port, folder):
            balancer = Balancer(port, folder, list(ports))
            balancer.lead_to(ports[0])
            yield balancer


@contextmanager
def folder_for_programs() -> Iterator[Path]:
    """One that the account can reach under which the programs run."""
    folder = Path(tempfile.mkdtemp(prefix="lanyard-around-"))
    guardian.remove(folder)
    if account := _account():
        os.chown(folder, account["user"], account["group"])
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def started(command: list[str], port: int, folder: Path) -> Iterator[None]:
    file = folder / "log"
    with file.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **_account(),
        )
    guardian.watch(process.pid)
    try:
        _wait_until_it_listens(process, port, file)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        guardian.forget(process.pid)


def _account() -> dict[str, Any]:
    """PgBouncer refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not start\n{log.read_text()[-2000:]}")
