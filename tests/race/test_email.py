"""E-mails of real server processes: several workers, and one that is killed between sending and recording it."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.email import outbox
from app.email.models import email_rows
from tests.support import database as databases
from tests.support.faults import KILLED_AT, command
from tests.support.people import Person, make_user
from tests.support.server import Server, running
from tests.support.sink import Sink, listening

pytestmark = [pytest.mark.race, pytest.mark.anyio]

HANGING_SECONDS = 30
EMAILS = 50

# Each login queues an e-mail.
MAIL = f"""{KILLED_AT}
from datetime import timedelta
from app import main
from app.web import features
from app.auth.sessions import rotation
from app.email import outbox, transport
from app.email.messages import Message

async def start(tx, user, *, start=rotation.start, **options):
    pair = await start(tx, user, **options)
    await outbox.enqueue(tx, "hello", recipient="robin@example.com")
    return pair

async def hello(email_message):
    killed_at("before the mail")
    return Message(email_message.recipient, "Hello", "Hello.", "<p>Hello.</p>")

async def send(mail, send=transport.send):
    await send(mail)
    killed_at("after the mail")

outbox.LEASE = timedelta(seconds=1)
features._features += (features.Feature(name="hello", emails=dict(hello=hello)),)
rotation.start, transport.send = start, send
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as sink:
        yield sink


@pytest.mark.parametrize(("place", "times"), [("before the mail", 1), ("after the mail", 2)])
async def test_email_of_a_killed_server_is_sent_after_the_restart(
    tmp_path: Path, sink: Sink, place: str, times: int
) -> None:
    """Once; or twice with one Message-ID if the worker died before it recorded the delivery."""
    (tmp_path / place).touch()
    program, url = command(tmp_path, MAIL.format(folder=str(tmp_path))), databases.fresh(tmp_path)
    with running(command=program, DATABASE_URL=url, MAIL_URL=sink.url) as server:
        person = await somebody(server)
        assert await sign_in(server, person) == 200
        assert server.process.wait(HANGING_SECONDS) == -9
    before = len(sink.received)

    with running(command=program, DATABASE_URL=url, MAIL_URL=sink.url) as server:
        await until_sent(server, 1)

    assert (before, len(sink.received)) == (times - 1, times)
    assert len({received.mail["message-id"] for received in sink.received}) == 1
    assert [received.recipients for received in sink.received] == [["robin@example.com"]] * times


# v5.0.0-15.4.2
async def test_two_workers_send_each_email_exactly_once(tmp_path: Path, sink: Sink) -> None:
    program = command(tmp_path, MAIL.format(folder=str(tmp_path)), workers=2)
    with running(command=program, MAIL_URL=sink.url) as server:
        async with server.database(), db.transaction() as tx:
            ids = [
                await outbox.enqueue(tx, "hello", recipient=f"person{number}@example.com") for number in range(EMAILS)
            ]

        await until_sent(server, EMAILS)
        log = server.log()

    seen = Counter(received.mail["message-id"] for received in sink.received)
    assert seen == Counter({f"<{each}@localhost>": 1 for each in ids})
    assert "Traceback" not in log


async def somebody(server: Server) -> Person:
    async with server.database():
        return await make_user()


async def sign_in(server: Server, person: Person) -> int:
    async with httpx.AsyncClient(base_url=server.url, timeout=HANGING_SECONDS) as client:
        body = {"email": person.email, "password": person.password}
        return (await client.post("/api/auth/login", json=body)).status_code


async def until_sent(server: Server, count: int) -> None:
    sent: Any = sa.select(sa.func.count()).select_from(email_rows).where(email_rows.c.sent_at.is_not(None))
    deadline = time.monotonic() + HANGING_SECONDS
    async with server.database():
        while (found := await db.fetch_value(sent)) != count:
            assert time.monotonic() < deadline, f"{found} e-mails sent\n{server.log()[-4000:]}"
            await asyncio.sleep(0.05)
