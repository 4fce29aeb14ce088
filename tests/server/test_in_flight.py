"""What requests may hold of a worker's memory: each by itself, and all together."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.server import Server, running

KB = 1000
BODY, MEMORY = 100 * KB, 400 * KB
HEAD = b"Host: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A hundredth of the memory in earnest."""
    bounds = {"BODY_LIMIT": BODY, "ANONYMOUS_BODY_LIMIT": 65 * KB, "REQUEST_MEMORY": MEMORY}
    with running(**{f"APP_{name}_BYTES": str(value) for name, value in bounds.items()}) as server:
        yield server


class Slow:
    """Sends the beginning of something, and waits."""

    def __init__(self, server: Server, begin: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self.socket.sendall(begin)
        assert healthy(server)  # by now it has been read

    def __enter__(self) -> "Slow":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def answer(self) -> bytes:
        """All that comes until the server hangs up."""
        try:
            return b"".join(iter(lambda: self.socket.recv(65536), b""))
        except ConnectionResetError:
            return b""

    def waits(self) -> bool:
        """It has neither been answered nor hung up on."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            self.socket.settimeout(30)
        return False


def form(size: int) -> bytes:
    """A form of 90 kB in chunks, as far as it has come. No length: it would be refused by that alone."""
    head = b"POST /login HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n" % (90 * KB) + b"x" * size


def head(size: int) -> bytes:
    return b"GET /login HTTP/1.1\r\n" + HEAD + b"Cookie: planted=" + b"x" * size


def healthy(server: Server) -> bool:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).startswith(b"HTTP/1.1 200 ")


# v5.0.0-15.2.2
@pytest.mark.parametrize("begin", [form, head])
def test_who_holds_most_goes_first_and_nobody_else_notices(server: Server, begin: Callable[[int], bytes]) -> None:
    with ExitStack() as stack:
        large = [stack.enter_context(Slow(server, begin(60 * KB))) for _ in range(6)]
        small = [stack.enter_context(Slow(server, begin(KB))) for _ in range(20)]
        assert all(one.waits() for one in [*large, *small])

        last = stack.enter_context(Slow(server, begin(60 * KB)))

        assert healthy(server)
        assert all(one.waits() for one in small)
        gone = [one for one in [*large, last] if not one.waits()]
        assert 2 <= len(gone) <= 4  # down to three quarters
    assert "Traceback" not in server.logged("requests_dropped")


def test_answer_to_who_had_to_go_says_when_to_come_back(server: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(Slow(server, head(90 * KB))) for _ in range(5)]
        (answer, *_) = [one.answer() for one in slow if not one.waits()]

    lines = answer.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 503 Service Unavailable"
    assert {b"retry-after: 5", b"connection: close"} <= set(lines)


def test_memory_comes_back_when_requests_are_answered_or_given_up(server: Server) -> None:
    for _ in range(10):  # ten times what there is room for
        with ExitStack() as stack:
            for _ in range(5):
                assert stack.enter_context(Slow(server, form(60 * KB))).waits()
        whole = b"POST /login HTTP/1.1\r\n" + HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (60 * KB)
        with Slow(server, whole + b"x" * (60 * KB)) as answered:
            assert b" 503 " not in answered.answer().partition(b"\r\n")[0]


@pytest.mark.parametrize("how", ["a length", "chunks"])
def test_anonymous_client_has_short_forms_to_send(server: Server, how: str) -> None:
    length = b"Content-Length: %d\r\n" % (66 * KB) if how == "a length" else b"Transfer-Encoding: chunked\r\n"
    begin = b"" if how == "a length" else b"%x\r\n" % (66 * KB)
    sent = b"POST /login HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n" + length + b"\r\n" + begin + b"x" * (66 * KB)

    with Slow(server, sent) as anonymous:
        assert anonymous.answer().startswith(b"HTTP/1.1 413 ")
