"""A temporary account with a session for one attack, deleted afterwards. The reader's account is never used.

The only writes of the lab: accounts with its own e-mail domain, which nobody can sign up with, and their rows.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth import cookies
from app.auth.accounts import user_creation
from app.auth.models import user_rows
from app.auth.sessions import rotation
from app.auth.tokens import TokenPair
from app.email.models import email_rows
from app.learn.lab import http_exchange
from app.learn.lab.http_exchange import Answer, Exchange, Send

DOMAIN = "@token-lab.invalid"  # RFC 2606: no mailbox can be there
AT_ONCE = 2  # attacks that one worker runs at the same time
FORGOTTEN_AFTER = timedelta(minutes=1)  # a worker that is stopped during an attack leaves its account behind

_slots = asyncio.Semaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Person:
    id: UUID
    password: str
    role: str = "user"


@dataclass
class Sandbox:
    """The account and the session of one attack. `exchanges` records every request that it sends."""

    person: Person
    pair: TokenPair
    send: Send
    exchanges: list[Exchange] = field(default_factory=list)

    async def request(
        self,
        note: str,
        method: str,
        path: str,
        *,
        token: str = "",
        jar: TokenPair | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        """Send one request: with `token` as bearer, or as a browser with the cookies of `jar`; JSON `body` or a `form`.

        Keyword arguments are further headers: `sec_fetch_site="cross-site"`.
        """
        sent = {name.replace("_", "-").title(): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if jar:
            held = {cookies.access_name(): jar.access_token, cookies.refresh_name(): jar.refresh_token}
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in held.items() if value)
            sent.setdefault("Sec-Fetch-Site", "same-origin")
        text = ""
        if form is not None:
            sent["Content-Type"], text = "application/x-www-form-urlencoded", urlencode(form)
        elif body is not None:
            sent["Content-Type"], text = "application/json", json.dumps(body)
        answer = await self.send(method, path, sent, text)
        shown = text.replace(self.person.password, "●●●").replace(urlencode({"": self.person.password})[1:], "●●●")
        self.exchanges.append(http_exchange.exchange(note, method, path, sent, shown, answer))
        return answer


@asynccontextmanager
async def temporary(send: Send) -> AsyncIterator[Sandbox]:
    """A sandbox for one attack. Deletes the account with all its rows afterwards."""
    async with _slots:
        forgotten = user_rows.c.created_at < db.utcnow() - FORGOTTEN_AFTER
        await _remove(sa.and_(user_rows.c.email_key.endswith(DOMAIN), forgotten))
        person = await _made()
        try:
            async with db.transaction() as tx:
                pair = await rotation.start(tx, person, now=await tx.fetch_value(sa.select(db.now())))
            yield Sandbox(person, pair, send)
        finally:
            await _remove(user_rows.c.id == person.id)


async def _made() -> Person:
    password = secrets.token_urlsafe(24)
    user_id = await user_creation.create(f"{secrets.token_hex(8)}{DOMAIN}", "Temporary account", password)
    if user_id is None:
        raise RuntimeError("two temporary accounts with the same address")
    return Person(user_id, password)


async def _remove(which: Any) -> None:
    """Delete accounts with their audit events and e-mails; their sessions go by cascade."""
    async with db.transaction() as tx:
        doomed = [row.id for row in await tx.fetch_all(sa.select(user_rows.c.id).where(which).limit(100))]
        for table in (event_rows, email_rows):
            await tx.execute(sa.delete(table).where(table.c.user_id.in_(doomed)))
        await tx.execute(sa.delete(user_rows).where(user_rows.c.id.in_(doomed)))
