"""The benchmarks: ratios of server CPU per request, measured side by side in one run. `make bench` writes results.md.

Absolute times say nothing on a shared machine, so each number is a quotient of medians over interleaved rounds. Nothing
here is a test: no figure fails a build.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tests.support import environment  # isort: skip  # before anything of the application
from sqlalchemy.dialects import sqlite

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import cookies
from app.auth.sessions import rotation
from bench import yardsticks
from bench.record import MACHINE, record
from tests.support import database as databases
from tests.support.people import PASSWORD, make_user, start_session
from tests.support.server import Server, free_port, running

ROUNDS, REQUESTS, CONNECTIONS = 7, 1600, 8
REFRESHES = 280  # a session takes no more in a row
CORES = os.sched_getaffinity(0)
PRODUCTION = {"APP_ENV": "production", "APP_ARGON2_MEMORY_KIB": "19456", "PUBLIC_ORIGIN": "https://localhost"}
Ask = Callable[[], Awaitable[None]]


class Connection:
    """One keep-alive connection that sends bytes and reads an answer; a client library would take the second core."""

    async def open(self, port: int) -> "Connection":
        self.port = port
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None
    ) -> tuple[int, bytes]:
        """`body`: text is sent as a form, anything else as JSON. `self.head`: the status line and headers answered."""
        form = isinstance(body, str)
        content = b"" if body is None else body.encode() if form else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        lines += [f"Content-Type: {kind}"] if content else []
        if self.reader.at_eof():  # closed while another side had its turn
            await self.open(self.port)
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        self.head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(self.head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(self.head[9:12]), await self.reader.readexactly(length)


def cpu_seconds(pid: int) -> float:
    """Of all threads of another process, in nanoseconds where /proc/PID/stat counts hundredths (Linux)."""
    return time.clock_gettime((~pid << 3) | 2)


async def compare(sides: dict[str, tuple[int, list[Ask]]], requests: int = 0) -> dict[str, float]:
    """Median CPU seconds of a request for each side: pid, and one way to ask for each connection.

    Each server on one core and the client on another: a thread that wanders from core to core takes several times as
    long, and by chance.
    """
    requests = requests or REQUESTS
    theirs, ours = min(CORES), max(CORES)
    pin(os.getpid(), {ours})
    for pid, _ in sides.values():
        pin(pid, {theirs})
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS + 1):
        for name, (pid, asks) in sides.items():
            before = cpu_seconds(pid)
            await asyncio.gather(*(repeat(ask, requests // len(asks)) for ask in asks))
            if number:  # the first round warms up
                spent[name].append((cpu_seconds(pid) - before) / requests)
    for pid in (os.getpid(), *(pid for pid, _ in sides.values())):
        pin(pid, CORES)
    return {name: statistics.median(values) for name, values in spent.items()}


def pin(pid: int, cores: set[int]) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread.name), cores)


async def repeat(ask: Ask, times: int) -> None:
    for _ in range(times):
        await ask()


async def getting(port: int, path: str, headers: dict[str, str] | None = None, shown: str = "") -> list[Ask]:
    """`shown`: what the answer holds."""

    async def one() -> Ask:
        connection = await Connection().open(port)

        async def ask() -> None:
            status, body = await connection.ask("GET", path, headers)
            assert status == 200, (path, status)
            assert shown.encode() in body, path

        return ask

    return [await one() for _ in range(CONNECTIONS)]


async def refreshing(port: int, path: str, begin: Callable[[Connection], Awaitable[str]]) -> list[Ask]:
    """Each connection has a session of its own and goes from generation to generation."""

    async def one() -> Ask:
        connection = await Connection().open(port)
        token = await begin(connection)

        async def ask() -> None:
            nonlocal token
            status, body = await connection.ask("POST", path, None, {"refresh_token": token})
            assert status == 200, (path, status)
            token = json.loads(body)["refresh_token"]

        return ask

    return [await one() for _ in range(CONNECTIONS)]


async def logging_in(server: Server, email: str, seconds: float) -> float:
    """CPU seconds of a login, eight at a time."""
    until, before, done = time.perf_counter() + seconds, cpu_seconds(server.process.pid), 0

    async def keep_on() -> None:
        nonlocal done
        connection = await Connection().open(server.port)
        while time.perf_counter() < until:
            status, _ = await connection.ask("POST", "/api/auth/login", None, {"email": email, "password": PASSWORD})
            assert status == 200, status
            done += 1

    await asyncio.gather(*(keep_on() for _ in range(8)))
    return (cpu_seconds(server.process.pid) - before) / done


async def p99_of_hello(server: Server, seconds: float) -> float:
    connection, took = await Connection().open(server.port), []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        await connection.ask("GET", "/healthz")
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.005)
    return statistics.quantiles(took, n=100)[98]


async def measure(server: Server, bare: "Bare", starlette: "Bare") -> list[tuple[str, float, str]]:
    async with server.database():
        person = await make_user()
        pair = await start_session(person)
    bearer = {"Authorization": f"Bearer {pair.access_token}"}
    signed_in = {"Cookie": f"{cookies.access_name()}={pair.access_token}", "Accept": "text/html"}
    pid = server.process.pid

    async def login(connection: Connection) -> str:
        _, body = await connection.ask("POST", "/api/auth/login", None, {"email": person.email, "password": PASSWORD})
        return str(json.loads(body)["refresh_token"])

    async def begin(connection: Connection) -> str:
        _, body = await connection.ask("POST", "/begin")
        return str(json.loads(body)["refresh_token"])

    api = await compare(
        {
            "me": (pid, await getting(server.port, "/api/auth/me", bearer)),
            "bare": (bare.pid, await getting(bare.port, "/")),
        }
    )
    page = await compare(
        {
            "signed in": (pid, await getting(server.port, "/", signed_in, person.name)),
            "anonymous": (pid, await getting(server.port, "/", {"Accept": "text/html"})),
        }
    )
    refresh = await compare(
        {
            "ours": (pid, await refreshing(server.port, "/api/auth/refresh", login)),
            "starlette": (starlette.pid, await refreshing(starlette.port, "/refresh", begin)),
        },
        REFRESHES,
    )
    hashes, logins = [], []
    for _ in range(3):
        hashes.append(await yardsticks.argon2_in_threads(2))
        logins.append(await logging_in(server, person.email, 2))
    quiet = await p99_of_hello(server, 4)
    _, loaded = await asyncio.gather(logging_in(server, person.email, 5), p99_of_hello(server, 5))
    return [
        ("`/api/auth/me` warm / bare Ravyn JSON handler that takes `request`", api["me"] / api["bare"], "<= 1.5"),
        ("front page signed in / the same page anonymous", page["signed in"] / page["anonymous"], "<= 1.2"),
        ("refresh / Starlette with aiosqlite, the same statements", refresh["ours"] / refresh["starlette"], "<= 2.5"),
        ("logins / bare argon2 in threads", statistics.median(hashes) / statistics.median(logins), ">= 0.85"),
        ("p99 of a hello during 8 parallel logins / quiet", loaded / quiet, "<= 3"),
    ]


class Bare:
    """A yardstick in a process of its own. `database`: a file with our tables and somebody in them."""

    def __init__(self, what: str, stack: ExitStack, database: str = "") -> None:
        self.port = free_port()
        variables = os.environ | {"BENCH_DATABASE": database, "BENCH_STATEMENTS": json.dumps(of_a_refresh())}
        command = [sys.executable, "-m", "bench.yardsticks", what, str(self.port)]
        process = subprocess.Popen(command, cwd=environment.ROOT, env=variables)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        self.pid = process.pid


def of_a_refresh() -> dict[str, str]:
    """What a rotation says to SQLite, as text with named parameters."""
    rotated = ["generation", "confirmed", "handed_at", "last_seen_at", "ip", "user_agent"]
    said = {
        "presented": (rotation._SESSION_AND_USER, None),
        "handed_out": (rotation._ISSUE_SUCCESSOR, rotated),
        "recorded": (events.RECORDED, [column.name for column in event_rows.c]),
    }
    dialect = sqlite.dialect(paramstyle="named")
    return {name: str(what.compile(dialect=dialect, column_keys=keys)) for name, (what, keys) in said.items()}


async def somebody(url: str) -> None:
    db.point_at(url)
    await db.connect()
    await make_user()
    await db.disconnect()


async def answering(port: int) -> None:
    for _ in range(600):
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return
        except OSError:
            await asyncio.sleep(0.05)
    raise RuntimeError("a yardstick does not start")


async def main() -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        await somebody(databases.copy_to(Path(folder) / "bench.db"))
        bare, starlette = Bare("bare_ravyn", stack), Bare("bare_refresh", stack, f"{folder}/bench.db")
        server = stack.enter_context(running(**PRODUCTION))
        for one in (bare, starlette):
            await answering(one.port)
        rows = await measure(server, bare, starlette)
    record(
        "numbers",
        f"{MACHINE}, SQLite, one worker, one run of `make bench`.",
        ("what", "ratio", "goal"),
        [(what, f"{ratio:.2f}", goal) for what, ratio, goal in rows],
    )


if __name__ == "__main__":
    asyncio.run(main())
