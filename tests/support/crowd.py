"""People at a server that something happens to: they look, write and renew, and come back after a 503."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import session_rows, user_rows
from app.auth.tokens import TokenPair
from tests.support import forge, secrets
from tests.support.faults import HANGING_SECONDS
from tests.support.people import Person, make_user, start_session
from tests.support.sent import browser
from tests.support.server import Server

PAUSE_SECONDS = 0.05  # between two requests of one visitor
SERVED = 4  # answers in a row that are no 503, until a visitor counts as served again
RENEWS_EVERY = 4  # rounds


@dataclass
class Visitor:
    """One visitor. `answers`: when a request began, what it was, and its status."""

    person: Person
    pair: TokenPair
    answers: list[tuple[float, str, int]] = field(default_factory=list)
    where: set[str] = field(default_factory=set)  # to which redirections led
    written: list[str] = field(default_factory=list)  # every name that was sent
    acknowledged: int = 0  # how many of them, up to the last one that was answered for
    in_a_row: int = 0

    @property
    def generation(self) -> int:
        return int(forge.claims(self.pair.refresh_token)["gen"])

    async def live(self, client: httpx.AsyncClient) -> None:
        for number in range(1_000_000):
            await self._ask(client, "GET", "/dashboard", headers=browser(self.pair))
            self.written.append(f"Name {number}")
            sent = {"data": {"name": self.written[-1]}, "headers": browser(self.pair)}
            if (await self._ask(client, "POST", "/account", **sent)).status_code != 503:
                self.acknowledged = len(self.written)
            if number % RENEWS_EVERY == 0:
                body = {"refresh_token": self.pair.refresh_token}
                answer = await self._ask(client, "POST", "/api/auth/refresh", json=body)
                if answer.status_code == 200:
                    found = answer.json()
                    self.pair = TokenPair(found["access_token"], found["refresh_token"], 900, 0)
                    secrets.keep(self.pair.access_token, self.pair.refresh_token)

    async def _ask(self, client: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
        await asyncio.sleep(PAUSE_SECONDS)
        began = time.monotonic()
        answer = await client.request(method, path, **options)
        self.answers.append((began, f"{method} {path}", answer.status_code))
        if answer.is_redirect:
            self.where.add(answer.headers["location"])
        self.in_a_row = 0 if answer.status_code == 503 else self.in_a_row + 1
        return answer


@dataclass
class Crowd:
    server: Server
    visitors: list[Visitor]

    def requests(self) -> int:
        return sum(len(visitor.answers) for visitor in self.visitors)

    def led_to(self) -> set[str]:
        return {place for visitor in self.visitors for place in visitor.where}

    def statuses(self) -> set[int]:
        return {status for visitor in self.visitors for _, _, status in visitor.answers}

    def refused(self, since: float = 0) -> list[float]:
        """When each request began that was answered 503."""
        return sorted(
            began
            for visitor in self.visitors
            for began, _, status in visitor.answers
            if status == 503 and began >= since
        )

    async def until_served(self) -> float:
        """Until each of them is; seconds from now to the last request that was refused. Nobody waits for ever."""
        now = time.monotonic()
        for visitor in self.visitors:
            visitor.in_a_row = 0
        while any(visitor.in_a_row < SERVED for visitor in self.visitors):
            assert time.monotonic() < now + HANGING_SECONDS, [visitor.answers[-1] for visitor in self.visitors]
            await asyncio.sleep(PAUSE_SECONDS)
        refused = self.refused(now)
        return refused[-1] - now if refused else 0.0

    async def assert_no_session_ended_and_nothing_is_lost(self) -> None:
        async with self.server.database():
            query = sa.select(user_rows.c.name, session_rows).join(
                session_rows, session_rows.c.user_id == user_rows.c.id
            )
            rows = {row.user_id: row for row in await db.fetch_all(query)}
            reused = await db.fetch_all(sa.select(event_rows.c.id).where(event_rows.c.event == events.SESSION_REUSED))
        assert reused == []
        for visitor in self.visitors:
            row = rows[visitor.person.id]
            assert row.revoked_at is None
            assert row.generation - visitor.generation in (0, 1), "but for the one answer that nobody waited for"
            assert row.name in visitor.written[visitor.acknowledged - 1 :]


@asynccontextmanager
async def living(server: Server, count: int) -> AsyncIterator[Crowd]:
    """That many people, each with a browser of its own, from here to the end."""
    async with server.database():
        people = [await make_user() for _ in range(count)]
        visitors = [Visitor(person, await start_session(person)) for person in people]
    crowd = Crowd(server, visitors)
    async with httpx.AsyncClient(base_url=server.url, timeout=HANGING_SECONDS) as client:
        lives = [asyncio.create_task(visitor.live(client)) for visitor in visitors]
        try:
            yield crowd
        finally:
            for life in lives:
                life.cancel()
            ends = await asyncio.gather(*lives, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError}, ends
