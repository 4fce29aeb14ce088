"""Two workers, one database: a request waits at one of them while its session ends at the other.

The same acts in this process, against more endings: tests/contract/test_held_back.py.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.accounts import user_admin
from app.auth.models import user_rows
from app.email.models import email_rows
from tests.support import held
from tests.support.acts import Act, Scene, name_of, of_a_role, rows, scene_of, unsafe_and_private
from tests.support.people import make_user
from tests.support.sent import bearer
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]

MANY = 30_000  # rows: more than what lies in the buffers on the way
SECONDS = 60


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Server, Server]]:
    with running() as first, running(DATABASE_URL=first.db_url) as second:
        yield first, second


@asynccontextmanager
async def sent_without_its_body(server: Server, act: Act) -> AsyncIterator[tuple[Any, Any, bytes]]:
    """The connection, once the server waits for the body, and the body: it says "continue", nobody guesses how long."""
    request = held.as_request(act, server.url)
    extra = b"expect: 100-continue\r\nconnection: close\r\n"
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in request.headers.raw)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    try:
        writer.write(f"{act.method} {act.path} HTTP/1.1\r\n".encode() + fields + extra + b"\r\n")
        async with asyncio.timeout(SECONDS):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        yield reader, writer, request.read()
    finally:
        writer.close()


async def read_all(reader: Any) -> bytes:
    async with asyncio.timeout(SECONDS):
        return bytes(await reader.read())


async def both_know(two: tuple[Server, Server], scene: Scene) -> None:
    async with httpx.AsyncClient() as client:
        for server in two:
            headers = bearer(scene.pair)
            assert (await client.get(f"{server.url}/api/auth/me", headers=headers)).status_code == 200


async def all_but_emails() -> dict[str, set[str]]:
    """Those are sent behind our back."""
    found = await rows()
    del found[email_rows.name]
    return found


async def signed_out(here: Server, scene: Scene) -> None:
    async with httpx.AsyncClient() as client:
        await client.post(f"{here.url}/api/auth/logout", headers=bearer(scene.pair))


async def ended_by_an_admin(_: Server, scene: Scene) -> None:
    await user_admin.end_sessions(scene.person.id, (await make_user(role="admin")).id)


async def demoted(_: Server, scene: Scene) -> None:
    await user_admin.change(scene.person.id, (await make_user(role="admin")).id, role="user")


Ending = Callable[[Server, Scene], Awaitable[None]]
WAYS: list[tuple[dict[str, str], Ending]] = [
    (row, ending)
    for row in unsafe_and_private()
    for ending in (signed_out, ended_by_an_admin, demoted)
    if ending is not demoted or of_a_role(row)
]


# v5.0.0-7.4.1, v5.0.0-8.3.2
@pytest.mark.parametrize(("row", "ending"), WAYS, ids=lambda value: getattr(value, "__name__", "") or name_of(value))
async def test_what_one_worker_holds_back_the_other_one_ends(
    two: tuple[Server, Server], row: dict[str, str], ending: Ending
) -> None:
    here, there = two
    async with here.database():
        scene, act = await scene_of(row)
        await both_know(two, scene)
        async with sent_without_its_body(there, act) as (reader, writer, body):
            await ending(here, scene)
            before = await all_but_emails()
            writer.write(body)
            head, _, text = (await read_all(reader)).partition(b"\r\n\r\n")
        after = await all_but_emails()

    status = int(head.split()[1])
    assert status == (403 if ending is demoted else 401 if act.path.startswith("/api/") else 303)
    if status == 303:
        assert b"location: /login?next=" in head
    for secret in (scene.victim.email,) if ending is demoted else (scene.victim.email, scene.person.email):
        assert secret.encode() not in text
    changed = [f"{name} {row}" for name in after for row in after[name] ^ before[name]]
    refusal = "throttle_counters ", events.ACCESS_DENIED  # that somebody was refused is written down
    assert [change for change in changed if ending is not demoted or not any(word in change for word in refusal)] == []


# v5.0.0-7.4.1, v5.0.0-7.5.3
@pytest.mark.parametrize("ending", [signed_out, demoted])
async def test_download_at_one_worker_stops_when_the_other_one_ends_its_session(
    two: tuple[Server, Server], ending: Ending
) -> None:
    here, there = two
    (row,) = [row for row in unsafe_and_private() if row["path"] == "/admin/audit/export"]
    async with here.database():
        scene, act = await scene_of(row)
        await both_know(two, scene)
        made = [events.row(events.LOGIN, user_id=scene.victim.id, detail="early") for _ in range(MANY)]
        await db.run_in_transaction(lambda connection: connection.execute(sa.insert(event_rows), made))
        async with sent_without_its_body(there, act) as (reader, writer, body):
            writer.write(body)
            begun = await reader.readuntil(b"early")
            await ending(here, scene)
            rest = await read_all(reader)

        await db.execute(sa.delete(event_rows))
        await db.execute(sa.delete(user_rows))
    assert b" 200 " in begun.partition(b"\r\n")[0]
    assert not rest.endswith(b"0\r\n\r\n")  # the last chunk of a whole answer (RFC 9112 section 7.1)
    assert rest.count(b"early") < MANY
    assert "Traceback" not in there.log()
