"""Streams of a real server with two workers: what the framework and uvicorn make of them."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from app.auth.accounts import user_admin
from app.auth.tokens import TokenPair
from app.server.run import MESSAGE_BYTES
from tests.support.copies import copied_with_streams
from tests.support.people import Person, make_user, start_session
from tests.support.sent import browser
from tests.support.server import Server, running

pytestmark = pytest.mark.race

PATIENCE = 30
WORKERS = 2


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_with_streams(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def server(tree: Path) -> Iterator[Server]:
    with running(workers=WORKERS, source=tree, APP_DATABASE_POOL_SIZE="1") as server:
        yield server


def signed_in(server: Server) -> tuple[Person, TokenPair]:
    person = server.run(make_user)
    return person, server.run(lambda: start_session(person))


def socket(server: Server, pair: TokenPair | None, origin: str = "", query: str = "") -> ClientConnection:
    headers = {"Cookie": browser(pair)["Cookie"]} if pair else {}
    url = f"ws://localhost:{server.port}/clock/echo{query}"
    return connect(url, origin=origin or server.url, additional_headers=headers, open_timeout=PATIENCE)  # type: ignore[arg-type]


def events(server: Server, pair: TokenPair, path: str = "/clock/events") -> Any:
    headers = {"Cookie": browser(pair)["Cookie"], "Accept": "text/event-stream"}
    return httpx.stream("GET", f"{server.url}{path}", headers=headers, timeout=PATIENCE)


def last_event(response: httpx.Response) -> str:
    return re.findall(r"^event: (.*)$", "\n".join(response.iter_lines()), re.MULTILINE)[-1]


def closed_with(connection: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed):
        connection.recv(PATIENCE)
    assert connection.protocol.close_rcvd
    return connection.protocol.close_rcvd.code


def test_example_of_the_chapter_works(server: Server) -> None:
    person, pair = signed_in(server)
    with socket(server, pair) as connection, events(server, pair) as response:
        connection.send("hello")

        assert connection.recv(PATIENCE) == f"{person.name}: hello"
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "event: tick" in response.iter_lines()


# v5.0.0-4.4.2, v5.0.0-16.2.5
def test_refused_handshake_has_a_status_and_no_traceback(server: Server) -> None:
    _, pair = signed_in(server)
    for token, origin, status in [(None, "", 401), (pair, "https://evil.example", 403)]:
        with pytest.raises(InvalidStatus) as refused:
            socket(server, token, origin, "?secret=hunter2")
        assert refused.value.response.status_code == status
    with socket(server, pair, query="?secret=hunter2"):
        pass

    log = server.logged(r"request .*path=/clock/echo .*status=101")
    assert "hunter2" not in log
    assert "Traceback" not in log
    assert "[error" not in log  # anybody can ask for a socket


# v5.0.0-15.2.2
def test_body_of_a_stream_ends_it_and_is_no_error(server: Server) -> None:
    """The request may have one. It is not waited for, and bounded as every body."""
    _, pair = signed_in(server)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    headers = {"Cookie": browser(pair)["Cookie"]}
    with suppress(httpx.TransportError):
        httpx.request("GET", f"{server.url}/clock/events", headers=headers, content=endless(), timeout=PATIENCE)

    assert "[error" not in server.logged(r"stream_ended .*path=/clock/events")


# v5.0.0-15.2.2
def test_long_message_closes_the_socket(server: Server) -> None:
    _, pair = signed_in(server)
    with socket(server, pair) as connection:
        connection.send("x" * MESSAGE_BYTES)
        assert len(connection.recv(PATIENCE)) > MESSAGE_BYTES
        connection.send("x" * (MESSAGE_BYTES + 1))

        assert closed_with(connection) == 1009


# v5.0.0-7.4.1, v5.0.0-7.4.5
def test_end_of_the_sessions_in_another_process_ends_the_streams_of_all_workers(server: Server) -> None:
    """This process is the other one. Eight connections, so that each worker has some."""
    person, admin = server.run(make_user), server.run(lambda: make_user(role="admin"))
    pairs = [server.run(lambda: start_session(person)) for _ in range(4)]
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        sockets = [stack.enter_context(socket(server, pair)) for pair in pairs]
        streams = [stack.enter_context(events(server, pair)) for pair in pairs]
        reading = [pool.submit(last_event, response) for response in streams]
        server.run(lambda: user_admin.end_sessions(person.id, admin.id))

        assert {closed_with(connection) for connection in sockets} == {4401}
        assert {each.result(PATIENCE) for each in reading} == {"session_ended"}


def test_open_streams_hold_no_connection_to_the_database(server: Server) -> None:
    """The pool has one for each worker."""
    with ExitStack() as stack:
        for _ in range(4):
            _, pair = signed_in(server)
            assert stack.enter_context(events(server, pair)).status_code == 200
            stack.enter_context(socket(server, pair))
        for _ in range(4):
            answer = httpx.get(f"{server.url}/dashboard", headers=browser(signed_in(server)[1]), timeout=PATIENCE)
            assert answer.status_code == 200


def test_server_that_stops_ends_streams_instead_of_waiting_for_them(tree: Path) -> None:
    with running(source=tree) as server:
        _, pair = signed_in(server)
        with socket(server, pair) as connection, events(server, pair) as response, ThreadPoolExecutor() as pool:
            reading = pool.submit(last_event, response)
            server.process.send_signal(signal.SIGTERM)

            assert closed_with(connection) == 1012
            assert reading.result(PATIENCE) == "restart"
        assert server.process.wait(PATIENCE) == 0
        assert "graceful shutdown exceeded" not in server.log()
        assert "Traceback" not in server.log()
