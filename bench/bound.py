"""What does a session that is bound to its device cost? Warm requests of a bound and of an unbound session, in turn.

All sessions have the same events, so their pages have the same length. An unbound session is compared with another
unbound one too: what these two differ by is the noise.
"""

import asyncio
import random
import statistics

import sqlalchemy as sa

from tests.support import environment  # noqa: F401  # isort: skip  # before anything of the application
from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import cookies
from bench.record import MACHINE, record
from bench.run import PRODUCTION, Connection, cpu_seconds
from tests.support.bound import bound
from tests.support.people import make_user, start_session
from tests.support.server import Server, running

REQUESTS, WARM_UP = 1000, 50  # in each session, for each path
PATHS = ("/api/auth/me", "/account", "/dashboard")
SESSIONS = ("unbound", "bound", "another unbound")


async def measure(server: Server) -> list[tuple[str, float, float]]:
    """For each path: bound / unbound, and another unbound / unbound, in CPU seconds of the server."""
    headers = await sessions(server)
    connection, pid = await Connection().open(server.port), server.process.pid
    rows = []
    for path in PATHS:
        spent: dict[str, list[float]] = {name: [] for name in SESSIONS}
        for _ in range(REQUESTS + WARM_UP):
            for name in random.sample(SESSIONS, len(SESSIONS)):
                began = cpu_seconds(pid)
                status, _ = await connection.ask("GET", path, headers[name])
                spent[name].append(cpu_seconds(pid) - began)
                assert status == 200, (path, name, status)
        usual = {name: statistics.median(each[WARM_UP:]) for name, each in spent.items()}
        rows.append((path, usual["bound"] / usual["unbound"], usual["another unbound"] / usual["unbound"]))
    return rows


async def sessions(server: Server) -> dict[str, dict[str, str]]:
    """The headers of a request in each session."""
    headers = {}
    async with server.database():
        for name in SESSIONS:
            pair = await start_session(await make_user())
            if name == "bound":
                await bound(pair)
            cookie = f"{cookies.access_name()}={pair.access_token}"
            headers[name] = {"Cookie": cookie, "Accept": "*/*", "Sec-Fetch-Site": "same-origin"}
        await db.execute(sa.delete(event_rows).where(event_rows.c.event == events.SESSION_BOUND))
    return headers


async def main() -> None:
    with running(**PRODUCTION) as server:
        rows = await measure(server)
    record(
        "bound",
        f"CPU time of the server, median of {REQUESTS} requests. {MACHINE}, SQLite, one worker, one run of "
        "`python -m bench.bound`.",
        ("warm request", "bound / unbound", "goal", "another unbound / unbound"),
        [(path, f"{ratio:.3f}", "<= 1.02", f"{noise:.3f}") for path, ratio, noise in rows],
    )


if __name__ == "__main__":
    asyncio.run(main())
