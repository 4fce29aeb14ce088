"""Two builds side by side: what a request costs with this tree, as a share of what it cost with an older revision.

    python -m bench.compare REV [CASE ...] [--database sqlite|postgresql] [--rounds N] [--record]

The revision is unpacked into a scratch folder and both builds are served in production mode, each on a database of its
own that `seed` has filled. One run asks them in turn; a figure is the quotient of the CPU seconds that the two server
processes took in one round, and the table has the median of the rounds and their quartiles. Only commands and HTTP are
used, so the older revision may be called by other names inside. `--record` writes the table into results.md.
"""

import argparse
import asyncio
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from tests.support import environment  # isort: skip  # before anything of the application
from bench.record import MACHINE, record
from bench.run import CONNECTIONS, CORES, PRODUCTION, Ask, Connection, cpu_seconds, getting, pin, refreshing, repeat
from tests.support import postgres
from tests.support.server import Server, running

PEOPLE, EVENTS = 100, 2000
EMAIL, PASSWORD = "ada@example.com", "correct horse battery staple"
FORM = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
DATABASES = ("sqlite", "postgresql")
Tell = Callable[[str, list[tuple[float, float]]], None]


@dataclass(frozen=True)
class Case:
    """A request. `requests`: of one build in one round. `by`: "nobody", "bearer" or "browser", who asks."""

    path: str
    requests: int
    by: str = "browser"


CASES = {
    "healthz": Case("/healthz", 800, "nobody"),
    "me": Case("/api/auth/me", 800, "bearer"),
    "protected": Case("/api/protected", 640, "bearer"),
    "front": Case("/", 400),
    "login": Case("/login", 400, "nobody"),
    "dashboard": Case("/dashboard", 120),
    "notes": Case("/notes", 160),  # notes
    "account": Case("/account", 160),
    "admin": Case("/admin", 80),
    "users": Case("/admin/users", 40),
    "users, filtered": Case("/admin/users?q=a&role=user&status=active&sort=name", 40),
    "audit": Case("/admin/audit", 40),
    "refresh": Case("/api/auth/refresh", 80, "refresh"),
}


@dataclass
class Build:
    """A folder with the source of the application, its server, and the tokens of somebody who is signed in there."""

    folder: Path
    server: Server
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        return cpu_seconds(self.server.process.pid)

    async def sign_in(self) -> None:
        connection = await Connection().open(self.server.port)
        cookies = await form_login(connection)
        pair = await self._pair(connection)
        self.headers = {
            "nobody": {"Accept": "text/html"},
            "browser": {"Accept": "text/html", "Cookie": cookies},
            "bearer": {"Authorization": f"Bearer {pair['access_token']}"},
        }

    async def asks(self, case: Case) -> list[Ask]:
        if case.by != "refresh":
            return await getting(self.server.port, case.path, self.headers[case.by])

        async def begin(connection: Connection) -> str:
            return str((await self._pair(connection))["refresh_token"])

        return await refreshing(self.server.port, case.path, begin)

    async def _pair(self, connection: Connection) -> dict[str, str]:
        who = {"email": EMAIL, "password": PASSWORD}
        status, body = await connection.ask("POST", "/api/auth/login", None, who)
        assert status == 200, (status, body)
        return dict(json.loads(body))


async def form_login(connection: Connection) -> str:
    """Sign in as a browser does. Returns the value of the `Cookie` header from then on."""
    status, _ = await connection.ask("POST", "/login", FORM, urlencode({"email": EMAIL, "password": PASSWORD}))
    assert status == 303, status
    pairs = [
        line.split(b":", 1)[1].split(b";")[0].strip() for line in connection.head.split(b"\r\n") if is_cookie(line)
    ]
    return b"; ".join(pairs).decode()


def is_cookie(line: bytes) -> bool:
    return line.lower().startswith(b"set-cookie:")


def unpacked(revision: str, folder: Path) -> Path:
    """The files of a revision, in `folder`."""
    packed = subprocess.run(
        ["git", "archive", "--format=tar", revision], cwd=environment.ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def serve(folder: Path, database: str, scratch: Path, stack: ExitStack) -> Build:
    """A server of the source in `folder`, on a database that its own commands have made and filled."""
    url = postgres.empty() if database == "postgresql" else f"sqlite+aiosqlite:///{scratch}/{folder.name}.db"
    variables = os.environ | PRODUCTION | {"DATABASE_URL": url}
    typed = f"{PASSWORD}\n" * 2
    for command in (
        ["migrate"],
        ["seed", "--users", str(PEOPLE), "--events", str(EVENTS), "--yes-really"],
        ["create-admin", "--email", EMAIL, "--name", "Ada"],
    ):
        subprocess.run(
            [sys.executable, "-m", "app", *command], cwd=folder, env=variables, input=typed, text=True,
            check=True, capture_output=True, start_new_session=True,
        )  # fmt: skip
    server = running(source=folder, DATABASE_URL=url, **PRODUCTION)
    return Build(folder, stack.enter_context(server))


def quotients(rounds: Iterable[tuple[float, float]]) -> list[float]:
    """CPU seconds (before, after) of each round -> after as a share of before."""
    return [after / before for before, after in rounds]


def spread(shares: Sequence[float]) -> tuple[float, float, float]:
    """The median, the first and the third quartile."""
    first, median, third = statistics.quantiles(shares, n=4, method="inclusive")
    return median, first, third


async def compare(before: Build, after: Build, case: Case, rounds: int) -> list[tuple[float, float]]:
    """CPU seconds of one request, (before, after) for each round. They take turns in going first."""
    for build in (before, after):
        await build.sign_in()
    asks = {id(build): await build.asks(case) for build in (before, after)}
    spent: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        took: dict[int, float] = {}
        for build in (before, after) if number % 2 else (after, before):
            began = build.cpu
            await asyncio.gather(*(repeat(ask, case.requests // CONNECTIONS) for ask in asks[id(build)]))
            took[id(build)] = (build.cpu - began) / case.requests
        if number:  # the first round warms up
            spent.append((took[id(before)], took[id(after)]))
    return spent


async def measure(before: Build, after: Build, names: Sequence[str], rounds: int, tell: Tell) -> None:
    pin(os.getpid(), {max(CORES)})
    for build in (before, after):
        pin(build.server.process.pid, {min(CORES)})
    for name in names:
        tell(name, await compare(before, after, CASES[name], rounds))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.compare")
    parser.add_argument("revision")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--to", default="", metavar="REV", help="instead of the files as they are now")
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--record", action="store_true", help="write the table into results.md")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(unknown)}")
    rows: list[tuple[str, ...]] = []
    for database in options.database or DATABASES:

        def tell(name: str, spent: list[tuple[float, float]], database: str = database) -> None:
            median, first, third = spread(quotients(spent))
            microseconds = [f"{statistics.median(each) * 1e6:.0f}" for each in zip(*spent, strict=True)]
            row = (f"`{CASES[name].path}`", database, *microseconds, f"{median:.2f}", f"{first:.2f} to {third:.2f}")
            rows.append(row)
            print(" | ".join(row), flush=True)

        with ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=environment.SCRATCH)))
            before = unpacked(options.revision, scratch / "before")
            after = unpacked(options.to, scratch / "after") if options.to else environment.ROOT
            builds = [serve(folder, database, scratch, stack) for folder in (before, after)]
            asyncio.run(measure(*builds, options.cases or list(CASES), options.rounds, tell))
    if options.record:
        record(
            "compare",
            f"{MACHINE}, one worker, production; {options.to or 'this tree'} against {options.revision}, "
            f"{options.rounds} rounds in turn in one run of `bench.compare`. CPU of the server process.",
            ("request", "database", "µs before", "µs after", "quotient", "quartiles"),
            rows,
        )


if __name__ == "__main__":
    main()
