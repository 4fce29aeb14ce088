"""The next version's migration runs while this version serves: nobody notices, and it counts as ready all the time."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from app import db
from tests.support.people import PASSWORD, make_user, start_session
from tests.support.sent import bearer
from tests.support.server import Server, free_port, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]

# What a careful migration does: columns that may be empty or have a default, a new table, an index.
NEXT = (
    "ALTER TABLE users ADD COLUMN nickname VARCHAR(80)",
    "ALTER TABLE sessions ADD COLUMN label VARCHAR(80) DEFAULT '' NOT NULL",
    "ALTER TABLE audit_events ADD COLUMN country VARCHAR(2)",
    "CREATE TABLE something_new (id VARCHAR(36) PRIMARY KEY)",
    "CREATE INDEX ix_sessions_label ON sessions (label)",
    "UPDATE alembic_version SET version_num = '9999'",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(**production()) as server:
        yield server


async def test_old_code_goes_on_over_the_new_schema(server: Server) -> None:
    async with server.database():
        person = await make_user()
        pair = await start_session(person)
    statuses: list[int] = []
    over = asyncio.Event()

    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        raw = pair.refresh_token

        async def visit() -> None:
            nonlocal raw
            while not over.is_set():
                answers = [
                    await client.get("/readyz"),
                    await client.get("/account/activity", headers=bearer(pair)),
                    await client.post("/account", data={"name": "Meanwhile"}, headers=bearer(pair)),
                    await client.post("/api/auth/refresh", json={"refresh_token": raw}),
                ]
                raw = answers[-1].json().get("refresh_token", raw)
                statuses.extend(answer.status_code for answer in answers)

        visits = asyncio.create_task(visit())
        for statement in NEXT:
            await asyncio.sleep(0.2)  # some visits between every two steps
            async with server.database():
                await db.execute(sa.text(statement))
        await asyncio.sleep(1.5)  # readyz has looked again
        over.set()
        await visits
        login = await client.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})

    assert len(statuses) >= 4 * len(NEXT)
    assert set(statuses) == {200, 303}
    assert login.status_code == 200


async def test_old_code_starts_again_on_the_new_schema(server: Server) -> None:
    """A process of the old version that falls over in the middle of an upgrade comes back."""
    with running(DATABASE_URL=server.db_url, **production()) as again:
        async with httpx.AsyncClient(base_url=again.url, timeout=30) as client:
            assert (await client.get("/readyz")).status_code == 200


def test_no_request_of_this_file_failed_inside_the_server(server: Server) -> None:
    assert "Traceback" not in server.log()
    assert "status=500" not in server.log()


def production() -> dict[str, str]:
    port = str(free_port())
    origin = f"http://localhost:{port}"
    return {"APP_ENV": "production", "PORT": port, "PUBLIC_ORIGIN": origin, "APP_ARGON2_MEMORY_KIB": "19456"}
