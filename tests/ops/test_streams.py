"""Event streams and WebSockets through Caddy, nginx and HAProxy, with the files of deploy/.

`make ops` takes the times as they are: a sign of life every 20 seconds, proxies that cut after 60 seconds of silence.
`make test` takes a twentieth of both.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from app.auth.accounts import user_admin
from tests.support.copies import copied_with_streams
from tests.support.front import PROXIES, Site
from tests.support.people import Person, make_user

pytestmark = [pytest.mark.ops, pytest.mark.race]

AS_IN_PRODUCTION = bool(os.environ.get("NEED_PROGRAMS"))
SIGNS_OF_LIFE = 5  # more than fit into the silence that a proxy allows
PATIENCE = 30
SHORTER = [  # in the application: the same twentieth as in the files of the proxies
    ("app/auth/streams/events.py", "HEARTBEAT_SECONDS = 20.0", "HEARTBEAT_SECONDS = 1.0"),
    ("app/server/run.py", "ws_max_size=", "ws_ping_interval=1, ws_max_size="),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied_with_streams(tmp_path_factory.mktemp("clone"))
    for name, before, after in [] if AS_IN_PRODUCTION else SHORTER:
        text = (folder / name).read_text()
        assert before in text
        (folder / name).write_text(text.replace(before, after))
    return folder


@pytest.fixture(scope="module", params=PROXIES)
def site(request: pytest.FixtureRequest, tree: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stack, request.param, {} if AS_IN_PRODUCTION else {"60s": "3s"}, source=tree)


def signed_in(site: Site) -> tuple[Person, dict[str, str]]:
    """Somebody, and the headers of their browser."""
    person = site.servers[0].run(make_user)
    with site.client(headers={"Origin": site.origin}) as client:
        client.post("/login", data={"email": person.email, "password": person.password})
        return person, {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}


def socket(site: Site, headers: dict[str, str]) -> ClientConnection:
    return connect(
        site.origin.replace("https:", "wss:") + "/clock/echo",
        origin=Origin(site.origin),
        additional_headers=headers,
        ssl=site.tls(),
        open_timeout=PATIENCE,
        ping_interval=None,  # the signs of life are the application's
    )


def events(site: Site, headers: dict[str, str], path: str) -> Any:
    return httpx.stream("GET", site.origin + path, headers=headers, timeout=PATIENCE, verify=site.tls())


def test_what_is_sent_arrives_while_the_stream_goes_on(site: Site) -> None:
    """A proxy that buffers has nothing to show for some minutes: a tick has 31 bytes."""
    person, headers = signed_in(site)
    with events(site, headers, "/clock/events") as response:
        lines = response.iter_lines()
        first, second = (next(line for line in lines if line.startswith("data:")) for _ in range(2))

        assert first != second
        assert "stream_ended" not in "".join(server.log() for server in site.servers)
    with socket(site, headers) as connection:
        for text in ("one", "two"):
            connection.send(text)
            assert connection.recv(PATIENCE) == f"{person.name}: {text}"


# v5.0.0-7.4.1
def test_silent_stream_and_socket_outlive_the_proxys_patience_and_end_with_the_session(site: Site) -> None:
    """The session is ended by another process, as an administrator does it."""
    (person, headers), admin = signed_in(site), site.servers[0].run(lambda: make_user(role="admin"))
    began = time.monotonic()
    with socket(site, headers) as connection, events(site, headers, "/session/events") as response:
        lines = response.iter_lines()
        for _ in range(SIGNS_OF_LIFE):
            assert next(lines) == ":"
            assert next(lines) == ""
        silent = time.monotonic() - began
        connection.send("still there")
        assert connection.recv(PATIENCE) == f"{person.name}: still there"

        site.servers[0].run(lambda: user_admin.end_sessions(person.id, admin.id))
        ended = time.monotonic()

        assert next(line for line in lines if line.strip(":")) == "event: session_ended"
        told = time.monotonic() - ended
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(PATIENCE)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4401

    print(f"{site.name}: {silent:.0f} s of silence, the session's end arrives after {told:.2f} s")


def test_refused_handshake_keeps_its_status(site: Site) -> None:
    """No session: 401, not a closed connection."""
    with pytest.raises(InvalidStatus) as refused:
        socket(site, {})

    assert refused.value.response.status_code == 401
