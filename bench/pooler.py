"""What a pooler costs: the same requests straight to PostgreSQL and through PgBouncer. `python -m bench.pooler`.

CPU seconds of the server process for a request, and how long a request takes with eight under way; each as the
median over rounds of its ratio to the way without a pooler. Writes its table into results.md.
"""

import asyncio
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from bench.run import CONNECTIONS, CORES, PRODUCTION, Ask, cpu_seconds, getting, pin, refreshing, repeat  # isort: skip
from bench.record import MACHINE, record
from bench.run import Connection
from tests.support import postgres
from tests.support.people import PASSWORD, make_user, start_session
from tests.support.programs import pooling
from tests.support.server import Server, running

ROUNDS, REQUESTS = 13, 120
WAYS: dict[str, Callable[[ExitStack], str]] = {
    "straight": lambda _: postgres.fresh_for_the_site(),
    "session mode": lambda stack: stack.enter_context(pooling(postgres.fresh_for_the_site(), "session")),
    "transaction mode": lambda stack: stack.enter_context(pooling(postgres.fresh_for_the_site(), "transaction")),
    "transaction mode, a role without bounds": lambda stack: stack.enter_context(
        pooling(postgres.fresh(), "transaction")
    ),
}


async def begun(server: Server) -> dict[str, Callable[[], Awaitable[list[Ask]]]]:
    """What is asked -> connections that ask it; each opened when its turn comes, for silent ones are closed."""
    async with server.database():
        person = await make_user()
        pair = await start_session(person)
    bearer = {"Authorization": f"Bearer {pair.access_token}"}

    async def login(connection: Connection) -> str:
        _, body = await connection.ask("POST", "/api/auth/login", None, {"email": person.email, "password": PASSWORD})
        return str(json.loads(body)["refresh_token"])

    return {
        "`/api/auth/me`, warm": lambda: getting(server.port, "/api/auth/me", bearer),
        "a page of one's own events": lambda: getting(server.port, "/account/activity", bearer),
        "refresh": lambda: refreshing(server.port, "/api/auth/refresh", login),
    }


async def measure(servers: dict[str, Server]) -> list[tuple[str, ...]]:
    begin = {way: await begun(server) for way, server in servers.items()}
    for server in servers.values():
        pin(server.process.pid, {min(CORES)})
    pin(os.getpid(), {max(CORES)})
    rows = []
    for what in begin["straight"]:
        asks: dict[str, list[Ask]] = {}
        spent: dict[str, list[tuple[float, float]]] = {way: [] for way in servers}
        for number in range(ROUNDS + 1):
            for way, server in servers.items():
                if not number:  # the first round warms up
                    asks[way] = await begin[way][what]()
                cpu, began = cpu_seconds(server.process.pid), time.perf_counter()
                await asyncio.gather(*(repeat(ask, REQUESTS // CONNECTIONS) for ask in asks[way]))
                if number:
                    spent[way].append((cpu_seconds(server.process.pid) - cpu, time.perf_counter() - began))
        for way in list(servers)[1:]:
            rounds = zip(spent[way], spent["straight"], strict=True)  # side by side: the machine's day is the same
            ratios = [(cpu / other_cpu, took / other_took) for (cpu, took), (other_cpu, other_took) in rounds]
            rows.append((what, way, *(f"{statistics.median(each):.2f}" for each in zip(*ratios, strict=True))))
    return rows


async def main() -> None:
    with ExitStack() as stack:
        servers = {
            way: stack.enter_context(running(DATABASE_URL=address(stack), **PRODUCTION))
            for way, address in WAYS.items()
        }
        rows = await measure(servers)
    record(
        "pooler",
        f"{MACHINE}, PostgreSQL 18, PgBouncer on the same machine, one worker, in turn in one run of `bench.pooler`; "
        "as a ratio to the way without a pooler.",
        ("request", "through PgBouncer in", "CPU", "time"),
        rows,
    )


if __name__ == "__main__":
    asyncio.run(main())
