"""A server told to stop amid its work: answers under way are finished, nothing answered is lost, nothing is logged."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import session_rows
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.faults import command, neighbour
from tests.support.people import make_user, start_session
from tests.support.sent import bearer
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]

HANGING_SECONDS = 30
BEFORE_AN_ANSWER = (httpx.ConnectError, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


TELLING = """\
from app.auth.sessions import rotation

async def rotate(*arguments, rotate=rotation.rotate, **options):
    print("under way", flush=True)
    return await rotate(*arguments, **options)

rotation.rotate = rotate
"""


@pytest.mark.parametrize("workers", [1, 2])
async def test_answers_under_way_are_finished(tmp_path: Path, workers: int) -> None:
    """Renewals that wait for a neighbour's lock while the server is told to stop."""
    with running(command=command(tmp_path, TELLING, workers)) as server:
        pairs = [await new_session(server) for _ in range(6)]
        async with httpx.AsyncClient(base_url=server.url, timeout=HANGING_SECONDS) as client:
            async with neighbour(server):
                under_way = [asyncio.create_task(refresh(client, pair)) for pair in pairs]
                await until(lambda: server.log().count("under way") == len(pairs))
                idle = [idle_connection(server) for _ in range(10)]
                server.process.send_signal(signal.SIGTERM)
                await asyncio.gather(*map(until_hung_up, idle))
            answers = await asyncio.gather(*under_way)

        assert [answer.status_code for answer in answers] == [200] * 6
        assert {forge.claims(answer.json()["refresh_token"])["gen"] for answer in answers} == {2}
        assert_stopped_in_order(server)


async def test_whatever_was_answered_under_load_has_happened() -> None:
    with running() as server:
        pair = await new_session(server)
        headers = bearer(pair)
        async with server.database():
            person = await make_user()
        login = {"email": person.email, "password": person.password}
        saved: list[str] = []
        ends: list[str] = []

        async def write() -> None:
            async with httpx.AsyncClient(base_url=server.url, timeout=HANGING_SECONDS) as client:
                while True:
                    try:
                        answer = await client.post("/api/auth/login", json=login)
                        page = await client.get("/dashboard", headers=headers | {"Accept": "text/html"})
                    except BEFORE_AN_ANSWER as error:
                        ends.append(str(error))
                        return
                    assert (answer.status_code, page.status_code) == (200, 200)
                    saved.append(forge.claims(answer.json()["access_token"])["sid"])

        writing = [asyncio.create_task(write()) for _ in range(20)]
        await until(lambda: len(saved) >= 40)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*writing)

        assert not [end for end in ends if "complete message body" in end], "half an answer"
        assert_stopped_in_order(server)
        async with server.database():
            there = {str(row.id) for row in await db.fetch_all(sa.select(session_rows.c.id))}
        assert set(saved) <= there


def assert_stopped_in_order(server: Server) -> None:
    assert server.process.wait(HANGING_SECONDS) == 0
    log = server.log()

    assert "Traceback" not in log, log[log.index("Traceback") :]
    assert "[error]" not in log, log
    assert "status=500" not in log


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANGING_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def idle_connection(server: Server) -> socket.socket:
    """That was served and stays open: the first thing a stopping worker closes."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 200 " in connection.recv(65536)
    return connection


async def until_hung_up(connection: socket.socket) -> None:
    connection.setblocking(False)
    with connection:
        async with asyncio.timeout(HANGING_SECONDS):
            while await asyncio.get_running_loop().sock_recv(connection, 65536):
                pass


async def new_session(server: Server) -> TokenPair:
    async with server.database():
        return await start_session(await make_user())


async def refresh(client: httpx.AsyncClient, pair: TokenPair) -> httpx.Response:
    return await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})
