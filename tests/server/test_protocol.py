"""What never becomes a request: the server's own refusals, and that they cost little."""

import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.server.protocol import BoundedProtocol
from app.web import security_headers
from tests.support.server import Server, running

EVERY_HEADER = {b"content-security-policy", b"x-request-id"} | {
    name for name, _ in security_headers.ALWAYS + security_headers.DEFAULTS
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def exchange(server: Server, *parts: bytes) -> tuple[int, list[bytes]]:
    """Send, read until the server hangs up; the status and the names of the headers."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        with suppress(ConnectionError):  # it may have hung up already; its answer can still be read
            for part in parts:
                connection.sendall(part)
        answer = b"".join(iter(lambda: _receive(connection), b""))
    head = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return int(head[0].split()[1]), [line.partition(b":")[0].lower() for line in head[1:]]


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    "request_line", [b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", "GET /é HTTP/1.1\r\n\r\n".encode()]
)
def test_what_is_no_request_is_400_with_every_header_once(server: Server, request_line: bytes) -> None:
    status, names = exchange(server, request_line)

    assert status == 400
    assert set(names) >= EVERY_HEADER
    assert len(names) == len(set(names))


# v5.0.0-15.2.2
def test_header_without_end_is_431_and_the_server_goes_on(server: Server) -> None:
    piece = b"a" * 65536

    status, names = exchange(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ", *[piece] * 160)

    assert status == 431
    assert set(names) >= EVERY_HEADER
    assert exchange(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"%41" * 6000, 414),
        (b"GET /login?next=" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a:\r\n" * 300, 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + b"a:\r\n" * 300 + b"\r\n", 431),
    ],
    ids=["an address without end", "a long address", "many lines without end", "many lines"],
)
def test_head_of_which_there_is_too_much_is_refused_before_it_is_complete(
    server: Server, head: bytes, status: int
) -> None:
    answered, names = exchange(server, head)

    assert answered == status
    assert set(names) >= EVERY_HEADER


def test_trailers_without_end_are_431(server: Server) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"

    status, _ = exchange(server, head, b"a:\r\n" * 300)

    assert status == 431


# v5.0.0-4.2.5
def test_jar_full_of_planted_cookies_locks_nobody_out(server: Server) -> None:
    """A sibling site can plant 180 cookies of 4 kB: a browser sends them all."""
    jar = b"Cookie: " + b"; ".join(b"planted%d=" % n + b"x" * 4000 for n in range(180)) + b"\r\n"

    status, _ = exchange(server, b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", jar, b"\r\n")

    assert status == 200


def test_second_request_on_a_connection_is_counted_on_its_own(server: Server) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: a=" + b"x" * 600_000 + b"\r\n\r\n"
    last = first.replace(b"Host", b"Connection: close\r\nHost")

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(first)
        status = connection.recv(65536).split()[1]
        connection.sendall(last)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert (status, answer.split()[1]) == (b"200", b"200")


UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Loop:
    """A clock that rings when told."""

    ring: Callable[[], None] | None = None

    def call_later(self, seconds: float, callback: Callable[[], None]) -> SimpleNamespace:
        self.ring = callback
        return SimpleNamespace(cancel=lambda: setattr(self, "ring", None))

    def create_task(self, request: Coroutine[Any, Any, None]) -> Mock:
        request.close()
        return Mock()


class Transport:
    """Enough of a connection to see what was written to it, and that it was closed."""

    written, closed = b"", False

    def get_extra_info(self, _: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def connected() -> tuple[BoundedProtocol, Transport, Loop]:
    config, loop, transport = uvicorn.Config(Mock, factory=True, log_config=None), Loop(), Transport()
    config.load()
    protocol = BoundedProtocol(config, ServerState(), {}, loop)  # type: ignore[arg-type]
    protocol.connection_made(transport)
    return protocol, transport, loop


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_head_that_does_not_end_in_time_is_408(connected: tuple[BoundedProtocol, Transport, Loop], sent: bytes) -> None:
    protocol, transport, loop = connected
    protocol.data_received(sent)

    assert loop.ring
    loop.ring()

    assert transport.written.startswith(b"HTTP/1.1 408 ")
    assert transport.closed


@pytest.mark.parametrize(
    "line",
    [b"Content-Length: 5", b"Cookie: a=" + b"x" * 9000, b"\r\n".join([b"X: y"] * 200)],
    ids=["a body", "a long line", "many lines"],
)
def test_handshake_that_the_library_cannot_read_is_400(server: Server, line: bytes) -> None:
    """It would never be answered, and its connection never closed."""
    head = b"GET /login HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n" + UPGRADE + b"\r\n"

    status, names = exchange(server, head)

    assert status == 400
    assert set(names) >= EVERY_HEADER


# v5.0.0-16.5.1
@pytest.mark.parametrize(
    "path", [b"/nowhere", b"/", b"/login", b"/dashboard", b"/admin", b"/api/auth/me", b"/static/app.css"]
)
def test_handshake_where_there_is_no_websocket_is_no_error(server: Server, path: bytes) -> None:
    origin = f"Origin: {server.url}\r\n".encode()

    status, _ = exchange(server, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + origin + UPGRADE + b"\r\n")

    assert status == 403
    assert "Traceback" not in server.log()
    assert "[error]" not in server.log()


# v5.0.0-4.1.3
def test_trailers_are_no_headers(connected: tuple[BoundedProtocol, Transport, Loop]) -> None:
    """A proxy replaces X-Forwarded-For among the headers and lets it pass behind a body: it would be the visitor's."""
    protocol, _, _ = connected
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTrailer: X-Forwarded-For\r\nTransfer-Encoding: chunked\r\n\r\n"

    protocol.data_received(head + b"1\r\nx\r\n0\r\nX-Forwarded-For: 192.0.2.7\r\nCookie: a=b\r\n\r\n")

    names = {name for name, _ in protocol.scope["headers"]}
    assert names == {b"host", b"trailer", b"transfer-encoding"}
    assert bytes(protocol.cycle.body) == b"x"


def test_clock_stops_when_the_head_is_complete(connected: tuple[BoundedProtocol, Transport, Loop]) -> None:
    protocol, transport, loop = connected

    protocol.data_received(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")

    assert loop.ring is None
    assert not transport.closed
