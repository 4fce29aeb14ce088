"""What only shows on the wire: a real uvicorn, and bytes that no client library would send."""

import http.client
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest

from tests.support.server import Server
from tests.web.assembled import LIMIT

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
MANY = 8 * 1024 * 1024


class Raw(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def exchange(server: Server, *lines: bytes, body: bytes = b"") -> Raw:
    """Send a request as it is written, and read the answer until the server closes."""
    named = {line.partition(b":")[0] for line in lines}
    usual = {b"Host": b"localhost", b"Connection": b"close"}
    head = [*lines, *(name + b": " + value for name, value in usual.items() if name not in named)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"\r\n".join(head) + b"\r\n\r\n" + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head_bytes, _, body = received.partition(b"\r\n\r\n")
    status, *headers = head_bytes.decode("latin-1").split("\r\n")
    return Raw(int(status.split()[1]), [tuple(line.split(": ", 1)) for line in headers], body)  # type: ignore[misc]


@pytest.fixture
def connection(wire: Server) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", wire.port, timeout=20)) as connection:
        yield connection


# v5.0.0-13.4.6
def test_every_header_is_on_the_wire_once_and_the_server_says_nothing_of_itself(wire: Server) -> None:
    answer = exchange(wire, b"GET /page HTTP/1.1", b"Accept: text/html")

    times = Counter(name.lower() for name, _ in answer.headers)
    assert [name for name, count in times.items() if count != 1] == []
    assert "server" not in times


# v5.0.0-13.4.4
@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /seen HTTP/1.1", 200),
        (b"GET /%73een HTTP/1.1", 200),
        (b"GET /x/../seen HTTP/1.1", 404),
        (b"GET /./seen HTTP/1.1", 404),
        (b"GET /%2e/seen HTTP/1.1", 404),
        (b"GET //seen HTTP/1.1", 404),
        (b"GET /seen/ HTTP/1.1", 404),
        (b"GET /static/../README.md HTTP/1.1", 404),
        (b"GET /static/%2e%2e/README.md HTTP/1.1", 404),
        (b"GET /static/..%2fREADME.md HTTP/1.1", 404),
        (b"GET /static/app.css%00 HTTP/1.1", 404),
        (b"GET /%00 HTTP/1.1", 404),
        (b"GET /%ff HTTP/1.1", 400),
        (b"GET /seen?a=%ff HTTP/1.1", 400),
        (b"GET /seen?a=%00 HTTP/1.1", 400),
        (b"GET /\xff HTTP/1.1", 400),
        (b"GET /seen?\xff HTTP/1.1", 400),
        (b"TRACE /seen HTTP/1.1", 405),
        (b"OPTIONS /seen HTTP/1.1", 405),
        (b"PROPFIND /seen HTTP/1.1", 405),
        (b"TRACE /nowhere HTTP/1.1", 404),
        (b"get /seen HTTP/1.1", 400),
        (b"FOO /seen HTTP/1.1", 400),
    ],
)
def test_request_lines(wire: Server, request_line: bytes, status: int) -> None:
    assert exchange(wire, request_line).status == status


@pytest.mark.parametrize(
    "line", [b"Accept: \xc3", b"Host: \xff", b"Origin: \xff", b"Content-Type: \xff", b"Authorization: Bearer \xff"]
)
def test_a_header_that_decides_and_is_no_text_is_400(wire: Server, line: bytes) -> None:
    assert exchange(wire, b"GET /page HTTP/1.1", line).status == 400


@pytest.mark.parametrize("name", [b"User-Agent", b"Referer", b"X-City", b"Accept-Language", b"Via"])
@pytest.mark.parametrize("value", [b"S\xe3o Paulo", b"\xff", b"\xed\xa0\x80", b"\xc3"])
def test_bytes_that_are_no_text_lock_nobody_out(wire: Server, name: bytes, value: bytes) -> None:
    answer = exchange(wire, b"GET /seen HTTP/1.1", name + b": " + value)

    assert answer.status == 200
    if name == b"User-Agent":
        assert "\ufffd" in json.loads(answer.body)["user_agent"]


def test_a_planted_cookie_behind_a_no_break_space_changes_nothing(wire: Server) -> None:
    lines = (b"GET /seen HTTP/1.1", b"Cookie: __Host-refresh=real; \xa0__Host-refresh=a; \xc2\xa0__Host-refresh=b")

    answer = exchange(wire, *lines)

    assert json.loads(answer.body)["cookies"] == {"__Host-refresh": "real"}


# v5.0.0-4.2.2
def test_head_has_no_body_and_the_connection_goes_on(connection: http.client.HTTPConnection) -> None:
    connection.request("HEAD", "/page", headers={"Accept": "text/html"})
    head = connection.getresponse()
    nothing = head.read()
    connection.request("GET", "/page", headers={"Accept": "text/html"})
    get = connection.getresponse()
    body = get.read()

    assert (head.status, nothing, head.headers["content-length"]) == (200, b"", str(len(body)))
    assert get.status == 200


def test_a_client_that_announces_too_much_is_told_so_before_it_sends(wire: Server) -> None:
    with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as connection:
        connection.sendall(f"POST /optional HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MANY}\r\n\r\n".encode())
        answer = connection.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_everything_first_still_reads_the_413(
    connection: http.client.HTTPConnection, chunked: bool
) -> None:
    piece = b"x" * 65536
    body = (piece for _ in range(MANY // len(piece))) if chunked else piece * (MANY // len(piece))

    connection.request("POST", "/optional", body=body, headers=JSON, encode_chunked=chunked)
    answer = connection.getresponse()
    document = json.loads(answer.read())

    assert (answer.status, document["status"]) == (413, 413)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok"


def test_a_form_over_the_limit_is_413(connection: http.client.HTTPConnection) -> None:
    form = b"title=" + b"x" * LIMIT

    connection.request("POST", "/memos", body=form, headers={"Content-Type": "application/x-www-form-urlencoded"})

    assert connection.getresponse().status == 413


# v5.0.0-4.2.1
@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding: xchunked"],
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: +5"],
        [b"Content-Length : 5"],
        [b"X: a\x00b"],
    ],
    ids=lambda lines: lines[0].decode(),
)
def test_a_request_of_two_readings_is_refused(wire: Server, lines: list[bytes]) -> None:
    answer = exchange(wire, b"POST /optional HTTP/1.1", *lines, body=b"0\r\n\r\nGET /seen HTTP/1.1\r\n\r\n")

    assert answer.status == 400


def test_an_answer_that_fails_half_way_is_not_made_to_look_complete(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/fails-late")
    answer = connection.getresponse()

    with pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert b"hunter2" not in caught.value.partial


def test_a_socket_of_another_site_is_closed_in_the_handshake(wire: Server) -> None:
    upgrade = (b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    head = (b"GET /socket HTTP/1.1", b"Connection: Upgrade", *upgrade)

    assert exchange(wire, *head, b"Origin: http://evil.example").status == 403


def test_the_log_has_the_bug_and_the_answer_its_reference(wire: Server) -> None:
    answer = exchange(wire, b"GET /fails/bug HTTP/1.1", b"Accept: application/json")

    reference = json.loads(answer.body)["request_id"]
    assert re.search(rf"failed source=web request_id={reference}[\s\S]*hunter2", wire.log())
    assert b"hunter2" not in answer.body
