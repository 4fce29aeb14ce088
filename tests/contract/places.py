"""People and programs at addresses of their own, for the tests of the rate limits."""

from collections.abc import Callable
from typing import Any

import httpx
import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from tests.support.environment import ORIGIN
from tests.support.people import PASSWORD
from tests.support.visitor import Visitor

WRONG = "wrong horse battery staple"


class Place(Visitor):
    """A browser or a program at an address of its own."""

    def __init__(self, app: Any, ip: str) -> None:
        transport = httpx.ASGITransport(app=app, client=(ip, 50000))
        httpx.AsyncClient.__init__(self, transport=transport, base_url=ORIGIN)

    async def tries(self, email: str, password: str = WRONG, times: int = 1, **options: Any) -> list[httpx.Response]:
        """One after the other at the API."""
        body = {"email": email, "password": password}
        return [await self.post("/api/auth/login", json=body, **options) for _ in range(times)]

    async def fills_in(self, email: str, password: str = WRONG, to: str = "") -> httpx.Response:
        return await self.submit("/login", {"email": email, "password": password, "next": to})

    async def has_signed_in(self, email: str, password: str = PASSWORD) -> None:
        """At the page, and out again: what stays is the cookie that the browser is known by."""
        assert (await self.fills_in(email, password)).status_code == 303
        assert (await self.submit("/logout")).status_code == 303

    async def refreshes(self, token: str) -> httpx.Response:
        return await self.post("/api/auth/refresh", json={"refresh_token": token})


def statuses(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def wait_of(answer: httpx.Response) -> int:
    assert answer.status_code == 429
    return int(answer.headers["retry-after"])


async def details(event: str) -> list[str]:
    return [row.detail for row in await db.fetch_all(sa.select(event_rows).where(event_rows.c.event == event))]


async def under_attack(at: Callable[[str], Place], email: str, places: int = 30) -> list[httpx.Response]:
    """A try each from many addresses that nobody has seen before."""
    return [(await at(f"198.51.100.{number}").tries(email))[0] for number in range(1, places + 1)]
