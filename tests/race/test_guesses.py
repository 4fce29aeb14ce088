"""What arrives at once, at two workers: no more of it gets an answer than of what comes one by one."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import session_rows
from app.auth.rate_limit import counters, limits, quotas
from tests.support.people import PASSWORD, Person, make_user, start_session
from tests.support.phone import Phone, with_a_phone
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]
AT_ONCE = 400
MOST = limits.limit(limits.CODE)[0]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(workers=2) as server:
        yield server


async def half_signed_in(server: Server, client: httpx.AsyncClient) -> tuple[Person, Phone, str]:
    """Somebody with a second step, and the ticket that the right password is worth."""
    async with server.database():
        person = await make_user()
        phone = await with_a_phone(person)
    answer = await client.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})
    return person, phone, answer.json()["ticket"]


def wrong_codes(phone: Phone) -> list[str]:
    """As many as are sent at once, and none that this phone shows in these minutes."""
    right = {phone.shows(db.utcnow(), seconds=30 * step) for step in range(-4, 10)}
    return [code for code in (f"{number:06}" for number in range(AT_ONCE + len(right))) if code not in right][:AT_ONCE]


async def count(server: Server, person: Person, event: str) -> int:
    async with server.database():
        mine = event_rows.c.user_id == person.id, event_rows.c.event == event
        return int(await db.fetch_value(sa.select(sa.func.count()).select_from(event_rows).where(*mine)))


# v5.0.0-2.3.2, v5.0.0-6.3.1, v5.0.0-15.4.2
@pytest.mark.parametrize("place", [0, MOST, AT_ONCE - 1])
async def test_of_four_hundred_codes_at_once_five_are_looked_at(server: Server, place: int) -> None:
    """The right one stands anywhere among them; a recovery code is as good as any, and cannot be mistaken for luck."""
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
        person, phone, ticket = await half_signed_in(server, client)
        guesses = wrong_codes(phone)
        guesses[place] = phone.recovery_codes[0]

        answers = await asyncio.gather(
            *(client.post("/api/auth/login/code", json={"ticket": ticket, "code": guess}) for guess in guesses)
        )

    seen = Counter(answer.json().get("detail", "signed in") for answer in answers)
    looked_at = seen["Invalid code."] + seen["signed in"]
    assert 0 < looked_at <= MOST, seen
    assert await count(server, person, events.SECOND_FACTOR_FAILED) == seen["Invalid code."]
    async with server.database():
        mine = session_rows.c.user_id == person.id
        sessions = await db.fetch_value(sa.select(sa.func.count()).select_from(session_rows).where(mine))
    assert sessions - 2 == seen["signed in"]  # with_a_phone: one that turned it on, and the one that replaced it


# v5.0.0-2.3.2
async def test_of_refreshes_at_once_the_limit_and_less_than_one_batch_get_through(
    server: Server,
) -> None:
    """Each other worker may have almost a batch that it has not told the database: that is the whole overshoot."""
    async with server.database():
        pair = await start_session(await make_user())
        most, left = limits.limit(limits.TOKEN)[0], 60
        key = counters.key(limits.TOKEN, sha256(pair.refresh_token.encode()).hexdigest())
        # The rest of them came before. An hour: a slow machine must not see a second window.
        await counters.add({key: timedelta(hours=1)}, most - left, db.utcnow())
    at_once = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=at_once) as client:
        answers = await asyncio.gather(
            *(client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token}) for _ in range(200))
        )

    seen = Counter(answer.status_code for answer in answers)
    assert set(seen) == {200, 429}
    assert left <= seen[200] <= left + quotas.BATCH - 1
