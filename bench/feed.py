"""How soon another worker knows: seconds from an ended session, or a demotion, to the first refusal.

Part of `make bench`; writes its table into results.md. The change is made by this process, on the server's database.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable
from typing import Any

from bench.run import PRODUCTION, Connection  # isort: skip  # first, for it sets up the environment
from app.auth.accounts import logout_flow, user_admin
from app.auth.sessions import rotation
from app.auth.tokens import TokenPair
from bench.record import MACHINE, record
from tests.support.people import make_user, start_session
from tests.support.server import Server, running

SAMPLES, EVERY = 30, 0.01  # seconds between two questions: as exact as the figure can be


async def measure(server: Server) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {"an ended session": [], "a demoted admin": []}
    async with server.database():
        chief, connection = await make_user(role="admin"), await Connection().open(server.port)
        for _ in range(SAMPLES):
            person = await make_user(role="admin")
            pair = await start_session(person)
            demotion = user_admin.change(person.id, chief.id, role="user")
            took["a demoted admin"].append(await until_refused(connection, "/admin", pair, demotion))
            end = logout_flow.logout(rotation.presented((pair.access_token, "access")))
            took["an ended session"].append(await until_refused(connection, "/api/auth/me", pair, end))
    return took


async def until_refused(connection: Connection, path: str, pair: TokenPair, change: Awaitable[Any]) -> float:
    bearer = {"Authorization": f"Bearer {pair.access_token}"}
    status, _ = await connection.ask("GET", path, bearer)
    assert status == 200, (path, status)
    await change
    began = time.perf_counter()
    while status == 200:
        await asyncio.sleep(EVERY)
        status, _ = await connection.ask("GET", path, bearer)
    return time.perf_counter() - began


def main() -> None:
    with running(**PRODUCTION) as server:
        took = asyncio.run(measure(server))
    rows = [(what, f"{statistics.median(each):.2f} s", f"{max(each):.2f} s", "<= 1 s") for what, each in took.items()]
    record("feed", f"{SAMPLES} times each. {MACHINE}, SQLite.", ("change", "median", "worst", "goal"), rows)


if __name__ == "__main__":
    main()
