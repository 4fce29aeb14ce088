"""What a second worker is worth, what a worker weighs, and how long the first answer takes.

    python -m bench.scale     (make scale)

Requests for each second of CPU time that all workers together spend: on a machine with cores to spare two workers
answer so much more than one. Memory is PSS, in which pages that two processes share count half each (Linux alone).
Writes its table into results.md.
"""

import asyncio
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

from bench.record import MACHINE, record
from bench.run import PRODUCTION, cpu_seconds, getting, repeat
from tests.support.faults import workers
from tests.support.people import make_user, start_session
from tests.support.server import Server, running

ROUNDS, REQUESTS, STARTS = 5, 1600, 5


def processes(server: Server) -> set[int]:
    """Those that answer: the children of the one that was started, or itself."""
    return workers(server) or {server.process.pid}


def megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


async def answers_a_second(servers: dict[int, Server]) -> dict[int, float]:
    """Of CPU time, for each number of workers: the median of rounds in turn."""
    asks = {}
    for count, server in servers.items():
        async with server.database():
            pair = await start_session(await make_user())
        bearer = {"Authorization": f"Bearer {pair.access_token}"}
        asks[count] = await getting(server.port, "/api/auth/me", bearer)
    spent: dict[int, list[float]] = {count: [] for count in servers}
    for number in range(ROUNDS + 1):
        for count, server in servers.items():
            before = sum(map(cpu_seconds, processes(server)))
            await asyncio.gather(*(repeat(ask, REQUESTS // len(asks[count])) for ask in asks[count]))
            if number:  # the first round warms up
                spent[count].append(sum(map(cpu_seconds, processes(server))) - before)
    return {count: REQUESTS / statistics.median(each) for count, each in spent.items()}


def seconds_to_the_first_answer(env: dict[str, str]) -> float:
    took = []
    for _ in range(STARTS):
        began = time.perf_counter()
        with running(**env):
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def main() -> None:
    with ExitStack() as stack:
        servers = {count: stack.enter_context(running(workers=count, **PRODUCTION)) for count in (1, 2)}
        rates = asyncio.run(answers_a_second(servers))
        servers[4] = stack.enter_context(running(workers=4, **PRODUCTION))
        asyncio.run(answers_a_second({4: servers[4]}))  # so that each has worked
        weights = {count: statistics.mean(map(megabytes, processes(server))) for count, server in servers.items()}
        supervisor = megabytes(servers[4].process.pid)
    production, development = seconds_to_the_first_answer(PRODUCTION), seconds_to_the_first_answer({})
    four = (4 * weights[4] + supervisor) / (4 * weights[1])
    rows = [
        ("two workers / one, answers of `/api/auth/me`", f"{2 * rates[2] / rates[1]:.2f}", ">= 1.7"),
        ("memory of a worker, alone", f"{weights[1]:.0f} MB", "<= 110 MB"),
        ("memory of a worker, one of two", f"{weights[2]:.0f} MB", "<= 110 MB"),
        ("memory of four workers and their supervisor / four times one", f"{four:.2f}", "<= .55"),
        ("start to the first answer, production", f"{production:.1f} s", "<= 2 s"),
        ("start to the first answer, development", f"{development:.1f} s", "<= 2 s"),
    ]
    record("scale", f"{MACHINE}, SQLite.", ("what", "figure", "goal"), rows)


if __name__ == "__main__":
    main()
