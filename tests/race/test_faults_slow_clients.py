"""Clients that are slow, silent or gone: each is let go in time, and nobody else notices."""

import re
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.support.faults import command, connections, linux_only
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, linux_only]

BOUNDS = """\
from app.server import protocol, run
from app.web import request_limits
run.UNREAD_SECONDS = protocol.HEAD_SECONDS = request_limits.BODY_SECONDS = 1
"""
HANGING_SECONDS = 30
AT_ONCE = 200

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
FORM = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(command=command(tmp_path_factory.mktemp("bounds"), BOUNDS)) as server:
        yield server


class Slow:
    """Sends `first`, then `drop` again and again until the server hangs up; keeps the statuses it was answered."""

    def __init__(self, first: bytes, drop: bytes = b"") -> None:
        self.first, self.drop, self.answer = first, drop, b""
        self.connection = socket.socket()

    def connect(self, server: Server) -> None:
        self.connection.connect(("127.0.0.1", server.port))
        self.connection.setblocking(False)
        self.connection.sendall(self.first)

    def drip(self) -> None:
        with suppress(OSError):  # the server has hung up: reading will tell
            self.connection.send(self.drop)

    def read(self) -> bool:
        """False when the server has hung up."""
        try:
            received = self.connection.recv(65536)
        except ConnectionError:
            return False
        self.answer += received
        return bool(received)

    def vanish(self) -> None:
        """With a reset, as when the client's process is killed."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1.1 (\d{3}) ", self.answer)]


SILENT: tuple[Callable[[], Slow], list[int]] = (lambda: Slow(b""), [408])
ENDLESS_HEAD = (lambda: Slow(GET + b"X: ", b"x"), [408])
ENDLESS_FORM = (lambda: Slow(FORM + b"Content-Length: 5000\r\n\r\n", b"x"), [408])
ENDLESS_CHUNKS = (lambda: Slow(FORM + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), [408])
ENDLESS_AND_TOO_MUCH = (lambda: Slow(FORM + b"Content-Length: 5000000\r\n\r\n", b"x"), [413])
ENDLESS_AND_UNREAD = (lambda: Slow(GET + b"Content-Length: 5000\r\n\r\n", b"x"), [200])
EMPTY_LINES = (lambda: Slow(GET + b"\r\n", b"\r\n"), [200])
ENDLESS_SECOND_HEAD = (lambda: Slow(GET + b"\r\n" + GET, b"x"), [200, 408])
KINDS = {
    "says nothing": SILENT,
    "never ends its headers": ENDLESS_HEAD,
    "never ends its form": ENDLESS_FORM,
    "never ends its chunks": ENDLESS_CHUNKS,
    "never ends a form that is too long": ENDLESS_AND_TOO_MUCH,
    "never ends a body that nobody reads": ENDLESS_AND_UNREAD,
    "sends empty lines after its request": EMPTY_LINES,
    "never ends its second request": ENDLESS_SECOND_HEAD,
}


@pytest.mark.parametrize("kind", KINDS)
def test_client_that_takes_for_ever_is_disconnected(server: Server, kind: str) -> None:
    make, statuses = KINDS[kind]
    slow = make()

    until_disconnected(server, [slow])

    assert slow.statuses == statuses


def test_client_that_reads_no_response_is_disconnected(server: Server) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.setblocking(False)
        with suppress(BlockingIOError):
            connection.sendall(b"GET /static/app.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400)

        until_nobody_is_connected(server)


# v5.0.0-15.4.4
def test_two_hundred_slow_clients_at_once_do_not_block_other_requests(server: Server) -> None:
    kinds = [SILENT, ENDLESS_HEAD, ENDLESS_FORM, ENDLESS_AND_UNREAD]
    slow = [kinds[number % len(kinds)][0]() for number in range(AT_ONCE)]
    served: list[int] = []

    def visit() -> None:
        with httpx.Client(base_url=server.url) as client:
            served.extend(client.get(path).status_code for path in ("/healthz", "/login", "/static/app.css"))

    until_disconnected(server, slow, meanwhile=visit)

    assert [one.statuses for one in slow] == [kinds[number % len(kinds)][1] for number in range(AT_ONCE)]
    assert set(served) == {200}
    until_nobody_is_connected(server)


def test_two_hundred_clients_that_vanish_leave_nothing_behind(server: Server) -> None:
    gone = [Slow(first) for first in (GET, FORM + b"Content-Length: 5000\r\n\r\nemail=") for _ in range(AT_ONCE // 2)]
    for client in gone:
        client.connect(server)
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    for client in gone:
        client.vanish()

    until_nobody_is_connected(server)

    assert httpx.get(f"{server.url}/login").status_code == 200


def test_no_request_of_this_file_failed_inside_the_server(server: Server) -> None:
    log = server.log()

    assert "Traceback" not in log, log[log.index("Traceback") :]
    assert "status=500" not in log


def until_disconnected(server: Server, clients: list[Slow], meanwhile: Callable[[], None] = lambda: None) -> None:
    """Connect all, let them drip, and wait until the server has hung up on each."""
    with selectors.DefaultSelector() as waiting, ExitStack() as stack:
        for client in clients:
            stack.enter_context(client.connection)
            client.connect(server)
            waiting.register(client.connection, selectors.EVENT_READ, client)
        deadline = time.monotonic() + HANGING_SECONDS
        while waiting.get_map():
            assert time.monotonic() < deadline, f"{len(waiting.get_map())} are still connected"
            for key, _ in waiting.select(timeout=0.1):
                if not key.data.read():
                    waiting.unregister(key.fileobj)
            for key in waiting.get_map().values():
                key.data.drip()
            meanwhile()


def until_nobody_is_connected(server: Server) -> None:
    deadline = time.monotonic() + HANGING_SECONDS
    while held := connections(server):
        assert time.monotonic() < deadline, f"{held} are still held"
        time.sleep(0.02)
