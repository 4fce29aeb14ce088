"""E-mails as their readers get them: sent in this process, or by a server that runs."""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app import db
from app.email import sender
from app.email.messages import Composer, Message
from app.email.models import email_rows
from app.web import features
from tests.support.environment import ORIGIN
from tests.support.server import Server

PATIENCE_SECONDS = 30


async def delivered(composers: Mapping[str, Composer] | None = None) -> list[Message]:
    """Send all e-mails that are due. Returns every e-mail sent in this test, oldest first."""
    while await sender.send_due(features.table("emails") if composers is None else composers):
        pass
    return [_message(row) for row in await db.fetch_all(_sent())]


async def emails_to(address: str) -> list[Message]:
    """As `delivered`, to this address alone."""
    return [message for message in await delivered() if message.recipient == address]


def arrived(server: Server, address: str, subject: str = "") -> Message:
    """The newest e-mail that the server sent to the address with this text in its subject; waits for it."""
    which = _sent().where(email_rows.c.recipient == address, email_rows.c.subject.contains(subject, autoescape=True))

    async def wait() -> Message:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (rows := await db.fetch_all(which)):
            assert time.monotonic() < deadline, f"no e-mail to {address} about {subject!r}"
            await asyncio.sleep(0.05)
        return _message(rows[-1])

    return server.run(wait)


def link_in(message: Message, origin: str = ORIGIN) -> str:
    """The first URL of the site in the e-mail, as path and query; for a server: `server.url`."""
    found = re.search(rf"^{re.escape(origin)}(/\S*)$", message.text, re.MULTILINE)
    assert found, message.text
    return found[1]


def _sent() -> Any:
    return sa.select(email_rows).where(email_rows.c.sent_at.is_not(None)).order_by(email_rows.c.id)


def _message(row: Any) -> Message:
    return Message(row.recipient, row.subject, row.text, row.html)
