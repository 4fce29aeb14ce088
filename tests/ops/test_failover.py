"""A balancer before a primary and its replica, and twenty people: nobody is out, and nothing acknowledged is lost."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app import db
from app.auth.accounts import logout_flow
from app.auth.sessions import rotation
from tests.support.crowd import living
from tests.support.environment import ROOT
from tests.support.people import make_user, start_session
from tests.support.postgres import Postgres
from tests.support.programs import Balancer, balancing
from tests.support.server import Server, running

pytestmark = [pytest.mark.anyio, pytest.mark.race]

PEOPLE = 20
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
SYNCHRONOUS = {"synchronous_standby_names": "*", "wal_retrieve_retry_interval": "100ms"}
LATE = 20  # requests of one of them that may be refused after the address is right again


@dataclass
class Site:
    primary: Postgres
    replica: Postgres
    balancer: Balancer
    server: Server


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """What the primary acknowledges the replica has. The tests follow each other; the last one leaves the replica."""
    primary = Postgres(**SYNCHRONOUS)
    primary.start()
    replica = Postgres(of=primary, wal_retrieve_retry_interval="100ms")
    replica.start()
    with balancing(primary.port, replica.port) as balancer:
        address = f"postgresql://postgres@127.0.0.1:{balancer.port}/postgres"
        with running(DATABASE_URL=address, workers=2, APP_DATABASE_POOL_SIZE="4") as server:
            yield Site(primary, replica, balancer, server)
    replica.stop()
    primary.stop()


async def happens(servers: list[Server], what: str, *steps: Callable[[], Any]) -> None:
    """One step after the other, while people are there; after the last one the address is right again."""
    async with AsyncExitStack() as stack:
        crowds = [await stack.enter_async_context(living(each, PEOPLE // len(servers))) for each in servers]
        for crowd in crowds:
            await crowd.until_served()
        for step in steps:
            before = [len(crowd.refused()) for crowd in crowds]
            await asyncio.to_thread(step)
        seconds = await asyncio.gather(*(crowd.until_served() for crowd in crowds))
    for crowd, right, last in zip(crowds, before, seconds, strict=True):
        refused = len(crowd.refused())
        print(f"{what}: {crowd.requests()} requests, {refused} refused, the last one after {last:.2f} s")
        assert refused - right <= len(crowd.visitors) * LATE
        assert crowd.statuses() <= {200, 303, 503}
        assert crowd.led_to() == {"/account?notice=name_changed"}
        await crowd.assert_no_session_ended_and_nothing_is_lost()
        await until_ready(crowd.server, 200)


@pytest.mark.ops
async def test_every_connection_is_cut(site: Site) -> None:
    await happens([site.server], "every connection cut", lambda: site.primary.execute(CUT))


@pytest.mark.ops
async def test_address_leads_to_the_replica_for_a_moment(site: Site) -> None:
    """Connections that were opened meanwhile stay there, unless somebody throws them away."""

    def there() -> None:
        site.balancer.lead_to(site.replica.port)
        asyncio.run(until_ready(site.server, 503))

    await happens([site.server], "there and back", there, lambda: site.balancer.lead_to(site.primary.port, cut=False))


@pytest.mark.ops
async def test_primary_is_started_anew(site: Site) -> None:
    await happens([site.server], "restart", site.primary.stop, site.primary.start)


@pytest.mark.ops
async def test_replica_is_promoted_in_place_of_a_dead_primary(site: Site) -> None:
    """Half of them at a site that knows no balancer, and both servers by name."""
    both = f"postgresql://postgres@127.0.0.1:{site.primary.port},127.0.0.1:{site.replica.port}/postgres"

    with running(DATABASE_URL=both, APP_DATABASE_POOL_SIZE="4") as other:
        dies, lead = site.primary.stop, site.balancer.lead_to
        moved = dies, site.replica.promote, lambda: lead(site.replica.port)
        await happens([site.server, other], "promotion", *moved)

    assert "Traceback" not in other.log()


@pytest.mark.ops
def test_no_request_of_this_file_failed_inside_the_server(site: Site) -> None:
    assert "Traceback" not in site.server.log()
    assert "status=500" not in site.server.log()


async def test_replica_that_lagged_brings_back_who_signed_out_until_everybody_is_ended() -> None:
    """Without synchronous replication: who renewed in the lost moment is out, and who signed out is in again."""
    primary = Postgres()
    primary.start()
    before = db.url()
    db.point_at(primary.url)
    await asyncio.to_thread(db.upgrade)
    async with connected(primary):
        one, other = [await start_session(await make_user()) for _ in range(2)]
    replica = Postgres(of=primary)  # it has this much, and never hears of what comes after it
    async with connected(primary):
        await logout_flow.logout(rotation.presented((one.refresh_token, "refresh")))
        renewed = await rotation.rotate(other.refresh_token)
    assert isinstance(renewed, rotation.Rotated)
    primary.stop()
    replica.start()
    replica.promote()

    async with connected(replica):
        back = await rotation.rotate(one.refresh_token)
        lost = await rotation.rotate(renewed.pair.refresh_token)
    command = [sys.executable, "-m", "app", "end-sessions", "--everybody"]
    surroundings = {"cwd": ROOT, "env": os.environ | {"DATABASE_URL": replica.url}}
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, **surroundings)

    assert isinstance(back, rotation.Rotated)
    assert isinstance(lost, rotation.Rejected)
    assert done.stdout == "2 sessions ended: everybody has to sign in again.\n", done.stderr
    async with connected(replica):
        assert isinstance(await rotation.rotate(back.pair.refresh_token), rotation.Rejected)
    replica.stop()
    db.point_at(before)


@asynccontextmanager
async def connected(server: Postgres) -> AsyncIterator[None]:
    db.point_at(server.url)
    await db.connect()
    try:
        yield
    finally:
        await db.disconnect()


async def until_ready(server: Server, status: int) -> None:
    """What a balancer in front of the application would ask. Two workers answer in turn."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client, asyncio.timeout(30):
        found: list[httpx.Response] = []
        while [answer.status_code for answer in found[-6:]] != [status] * 6:
            await asyncio.sleep(0.3)
            found.append(await client.get("/readyz", headers={"Connection": "close"}))
    if status == 503:
        assert found[-1].json()["checks"] == {"database": "failing", "migrations": "ok", "feed": "ok"}
