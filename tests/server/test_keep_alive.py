"""Connections between two requests: they outlast what stands in front of us, and only so many are kept."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
import uvicorn

from app.settings import get_settings
from tests.support.server import running

WAIT_SECONDS = 30
USUAL = 61  # seconds: nginx and the load balancers of the clouds send on a connection that was idle for 60
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test moves, from another thread."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def forward(self, seconds: float) -> None:
        """What was sent before is read first. Returns when everything that is due by then is done."""
        done = threading.Event()

        def move() -> None:
            self.ahead += seconds
            self.call_later(0, done.set)  # behind every timer that is due

        self.call_soon_threadsafe(self.call_later, 0, move)  # a round later
        assert done.wait(WAIT_SECONDS)


class Moved(NamedTuple):
    loop: Loop
    port: int


async def application(_: Any, __: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    """Reads no body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def moved() -> Iterator[Moved]:
    """Our protocol in a server of its own, whose clock can be moved."""
    loop, server = Loop(), None
    config = uvicorn.Config(application, http="app.server.protocol:BoundedProtocol", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=loop.run_until_complete, args=[server.serve([listener])])
        thread.start()
        yield Moved(loop, listener.getsockname()[1])
        server.should_exit = True
        thread.join(WAIT_SECONDS)
    loop.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)


def answered(connection: socket.socket, request: bytes = GET) -> bool:
    connection.sendall(request)
    answer = b""
    while not answer.endswith(b"\r\n\r\nok") and (received := connection.recv(65536)):
        answer += received
    return answer.startswith(b"HTTP/1.1 200 ")


def hung_up(connection: socket.socket) -> bool:
    return connection.recv(65536) == b""


def test_connection_that_a_balancer_kept_for_a_minute_still_answers(moved: Moved) -> None:
    with connect(moved.port) as connection:
        assert answered(connection)
        moved.loop.forward(USUAL)

        assert answered(connection)


def test_connection_whose_body_nobody_read_is_kept_as_long_as_any_other(moved: Moved) -> None:
    """An answer that refuses an upload goes out before it has arrived; the proxy sends the rest and keeps the line."""
    with connect(moved.port) as connection:
        assert answered(connection, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n")
        connection.sendall(b"rest")
        moved.loop.forward(USUAL)

        assert answered(connection)


def test_connection_that_nobody_uses_is_closed_in_the_end(moved: Moved) -> None:
    with connect(moved.port) as connection:
        assert answered(connection)

        moved.loop.forward(get_settings().keep_alive_seconds + 1)

        assert hung_up(connection)


def test_of_too_many_idle_connections_the_longest_idle_is_closed() -> None:
    with running(APP_KEEP_ALIVE_CONNECTIONS="3") as server, ExitStack() as stack:
        first, second, third, fourth = (stack.enter_context(connect(server.port)) for _ in range(4))
        for connection in (first, second, third, first, fourth):
            assert answered(connection)

        assert hung_up(second)
        assert all(answered(connection) for connection in (first, third, fourth))


def test_connection_that_is_answered_is_not_idle() -> None:
    """However many wait: who is in the middle of a request is none of them."""
    with running(APP_KEEP_ALIVE_CONNECTIONS="1") as server, ExitStack() as stack:
        busy, first, second = (stack.enter_context(connect(server.port)) for _ in range(3))
        assert answered(busy)
        busy.sendall(GET[:10])
        for connection in (first, second):
            assert answered(connection)

        assert hung_up(first)
        assert answered(busy, GET[10:])
