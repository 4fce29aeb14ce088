"""Behind PgBouncer, in session and in transaction mode: everything works, and nothing is left on a connection."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from app import db
from app.auth.sessions import rotation
from tests.db import four_processes
from tests.db.conftest import ledger
from tests.support import postgres
from tests.support.crowd import living
from tests.support.environment import ROOT
from tests.support.people import make_user, start_session
from tests.support.programs import pooling
from tests.support.server import running

pytestmark = [pytest.mark.anyio, pytest.mark.ops]

BOUNDS = ("statement_timeout", "idle_in_transaction_session_timeout")
IGNORED = f"ignore_startup_parameters = {', '.join(BOUNDS)}"
CROWDED = "default_pool_size = 1"  # what somebody leaves on the server's connection, the next one finds
MODES = {
    "session": ("session",),
    "transaction": ("transaction", CROWDED),
    "transaction, bounds dropped": ("transaction", CROWDED, IGNORED),
}
ENOUGH = {"session": 4 * 11, "transaction": 5}
CUT = (  # a role's settings are read when a connection begins, and the pooler keeps those that it has
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
SHOWN = sa.text("SELECT " + ", ".join(f"current_setting('{name}')" for name in BOUNDS))


@pytest.fixture(params=MODES, scope="module")
def pooled(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new database, through the pooler."""
    with pooling(postgres.fresh(), *MODES[request.param]) as url:
        yield url


@pytest.fixture
async def connected(pooled: str, anyio_backend: str) -> AsyncIterator[None]:
    before = db.url()
    db.point_at(pooled)
    await db.connect()
    yield
    await db.disconnect()
    db.point_at(before)


@pytest.fixture
async def bounds_of_the_role(connected: None) -> AsyncIterator[None]:
    await db.disconnect()
    postgres.execute(*[f"ALTER ROLE postgres SET {name} = '8s'" for name in BOUNDS], CUT)
    await db.connect()
    yield
    postgres.execute(*[f"ALTER ROLE postgres RESET {name}" for name in BOUNDS], CUT)


async def test_pooler_is_recognised_by_itself(connected: None) -> None:
    assert await db.fetch_value(sa.select(1)) == 1

    assert db.database.connector.is_pooled


async def test_many_statements_and_transactions_at_once_disturb_nobody(connected: None) -> None:
    """Statements with names collide here: "prepared statement already exists", or does not exist."""
    await db.execute(sa.schema.CreateTable(ledger))
    await db.execute(sa.insert(ledger).values(id=1, amount=0))

    async def deposit(number: int) -> None:
        async with db.transaction() as tx:
            row = await tx.fetch_one(sa.select(ledger).where(ledger.c.id == 1).with_for_update())
            await tx.execute(sa.update(ledger).where(ledger.c.id == 1).values(amount=row.amount + 1))
        assert await db.fetch_value(sa.select(sa.literal(number))) == number

    await asyncio.gather(*[deposit(number) for number in range(40)])

    assert await db.fetch_value(sa.select(ledger.c.amount)) == 40
    assert await db.fetch_value(sa.text("SELECT count(*) FROM pg_prepared_statements")) == 0
    await db.execute(sa.schema.DropTable(ledger))


async def test_transaction_is_bounded_and_the_next_one_is_not(connected: None) -> None:
    async with db.transaction() as tx:
        inside = tuple(await tx.fetch_one(SHOWN))
    at_once = tuple(await db.run_in_transaction(lambda connection: connection.execute(SHOWN).one()))

    assert inside == at_once == ("9s", "9s")
    assert tuple(await db.fetch_one(SHOWN)) == ("0", "0")


async def test_bounds_of_the_role_hold_for_every_statement_and_are_not_set_again(bounds_of_the_role: None) -> None:
    async with db.transaction() as tx:
        inside = tuple(await tx.fetch_one(SHOWN))

    assert inside == ("8s", "8s")
    assert tuple(await db.fetch_one(SHOWN)) == ("8s", "8s")


async def test_migration_has_no_bounds_whatever_the_role_has(bounds_of_the_role: None, pooled: str) -> None:
    """It would be cut off half-way; the lock that others wait for ends with its transaction, on whatever connection.

    A bound of this database alone: a limit of a millisecond for all databases could not be removed again.
    """
    role = f"ALTER ROLE postgres IN DATABASE {urlsplit(pooled).path[1:]}"
    await asyncio.to_thread(db.downgrade, "base")
    postgres.execute(f"{role} SET statement_timeout = '1ms'")

    await asyncio.to_thread(db.upgrade)

    postgres.execute(f"{role} RESET statement_timeout")
    assert await asyncio.to_thread(db.pending) == []


async def test_session_is_started_and_renewed(connected: None) -> None:
    pair = await start_session(await make_user())

    assert isinstance(await rotation.rotate(pair.refresh_token), rotation.Rotated)


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_four_processes_migrate_and_compete_through_it(mode: str) -> None:
    """In session mode each connection is one of the server: ten of the pool and one for the migration, four times."""
    with pooling(postgres.empty(), mode, f"default_pool_size = {ENOUGH[mode]}") as url:
        command = [sys.executable, "-m", "tests.db.four_processes", url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)

    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert [process["pending"] for process in outcome["processes"]] == [0] * four_processes.PROCESSES
    assert sum(process["won"] for process in outcome["processes"]) == 1
    assert outcome["increments"] == four_processes.PROCESSES * four_processes.INCREMENTS


async def test_pooler_that_the_address_names_is_believed(connected: None, pooled: str) -> None:
    """Nothing is tried first that it would refuse."""
    await db.disconnect()
    db.point_at(f"{pooled}?pgbouncer=true")
    assert db.database.connector.is_pooled

    await db.connect()

    async with db.transaction() as tx:
        assert await tx.fetch_value(sa.select(1)) == 1


@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_site_serves_through_it_and_a_cut_costs_no_more_than_a_wait(mode: str) -> None:
    with (
        pooling(postgres.fresh(), mode, f"default_pool_size = {2 * 5 + 2}") as url,
        running(DATABASE_URL=url, workers=2, APP_DATABASE_POOL_SIZE="5") as server,
    ):
        async with living(server, 10) as crowd:
            await crowd.until_served()
            undisturbed = crowd.statuses()
            await asyncio.to_thread(postgres.execute, CUT)
            await crowd.until_served()
        await crowd.assert_no_session_ended_and_nothing_is_lost()

    assert undisturbed == {200, 303}
    assert crowd.statuses() <= {200, 303, 503}
    assert "Traceback" not in server.log()
