"""Requests of two readings, as bytes to a running server."""

from collections.abc import Iterator

import pytest

from tests.server.test_protocol import exchange
from tests.support.server import Server, running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


CHUNKED = b"2\r\n{}\r\n0\r\n\r\n"


# v5.0.0-4.2.1
@pytest.mark.parametrize(
    ("version", "lines", "status"),
    [
        (b"1.1", b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"1.1", b"Transfer-Encoding: identity, chunked\r\n", 501),
        (b"1.1", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
        (b"1.0", b"Transfer-Encoding: chunked\r\n", 400),
        (b"1.1", b"Transfer-Encoding: chunked\r\n", 422),
        (b"1.1", b"Transfer-Encoding:  CHUNKED \r\n", 422),
    ],
)
def test_coding_that_is_not_decoded_is_501(server: Server, version: bytes, lines: bytes, status: int) -> None:
    """RFC 9112 section 6.1: read as if it were chunked alone, the body would be other bytes than the client means."""
    head = b"POST /api/auth/login HTTP/" + version + b"\r\nHost: localhost\r\nConnection: close\r\n"

    assert exchange(server, head + b"Content-Type: application/json\r\n" + lines + b"\r\n" + CHUNKED)[0] == status


# v5.0.0-4.2.1
@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://localhost/login", 200),
        (b"HTTP://LOCALHOST/login?next=http://evil.example/", 200),
        (b"/login?next=http://evil.example/", 200),
        (b"http://evil.example/login", 400),
        (b"http://localhost:81/login", 400),
        (b"http://evil.example@localhost/login", 400),
        (b"https://evil.example?/login", 400),
    ],
)
def test_address_with_another_host_than_the_header_is_refused(server: Server, target: bytes, status: int) -> None:
    """RFC 9112 section 3.2.2: a proxy goes by the address, and this server would go by the header."""
    head = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    assert exchange(server, head)[0] == status
