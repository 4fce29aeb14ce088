"""How the lists of the admin area bear a million rows: each page with many rows, compared with the same page with few.

    python -m bench.admin [--times 10] [--keep FOLDER]

Fills two databases with `seed`, asks both servers in turn and writes a table into results.md. CPU time of the server's
process; on SQLite that is the database as well. `--times`: so many times the million events and the hundred thousand
people. `--keep`: where the databases stay, to be filled once.
"""

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support import environment  # isort: skip  # before anything of the application
import sqlalchemy as sa

from app import db
from app.auth import cookies
from app.auth.models import user_rows
from app.cli.seed import fill
from bench import run as runner
from bench.record import MACHINE, record
from tests.support.people import make_user, start_session
from tests.support.server import Server, running

FEW, MANY = (100, 1000), (100_000, 1_000_000)
ROUNDS, REQUESTS = 5, 32  # eight connections, four requests each
GOAL = 3.0
PAGES = {
    "overview": "/admin",
    "people, newest first": "/admin/users",
    "people, by name, behind somebody": "/admin/users?sort=name&cursor={user}",
    "people, by last sign-in, behind somebody": "/admin/users?sort=last_login&cursor={user}",
    "people, active users by e-mail": "/admin/users?sort=email&role=user&status=active",
    "people, searched by one common word": "/admin/users?q=ada",
    "people, searched by name and surname": "/admin/users?q=zoe+abel&sort=name",
    "people, searched by one common word, by name": "/admin/users?q=zoe&sort=name",
    "people, searched by address": "/admin/users?q={email}",
    "people, invited and not in yet, by name": "/admin/users?verified=no&sort=name",
    "one person": "/admin/users/{user}",
    "audit": "/admin/audit",
    "audit, one event": "/admin/audit?event=session_reused",
    "audit, one person": "/admin/audit?person={email}",
    "audit, an event of one person": "/admin/audit?person={email}&event=login",
    "audit, an address and a week": "/admin/audit?ip=198.51.100.7&since={week}",
}


class Side:
    """One server with its rows, and somebody who is in the middle of every list."""

    def __init__(self, stack: ExitStack, folder: Path, size: tuple[int, int]) -> None:
        file = folder / f"{size[0]}.db"
        url = f"sqlite+aiosqlite:///{file}"
        if not file.exists():
            db.point_at(url)
            db.upgrade()
            asyncio.run(fill(*size, _tell("people"), _tell("events")))
        self.server: Server = stack.enter_context(running(DATABASE_URL=url))

    async def open(self) -> None:
        async with self.server.database():
            admin = await make_user(role="admin", email=f"{db.uuid7().hex}@example.com")  # a kept database has others
            pair = await start_session(admin)
            somebody = sa.select(user_rows.c.id, user_rows.c.email).where(user_rows.c.last_login.is_not(None))
            number = await db.fetch_value(sa.select(sa.func.count()).select_from(user_rows)) // 3
            self.somebody = await db.fetch_one(somebody.order_by(user_rows.c.id).offset(number).limit(1))
            self.week = f"{db.utcnow():%Y-%m}-01"
        self.headers = {"Cookie": f"{cookies.access_name()}={pair.access_token}", "Accept": "text/html"}

    async def asks(self, place: str) -> tuple[int, list[runner.Ask]]:
        path = place.format(user=self.somebody.id, email=self.somebody.email, week=self.week)
        return self.server.process.pid, await runner.getting(self.server.port, path, self.headers)


async def measure(few: Side, many: Side) -> list[tuple[str, float, float]]:
    await few.open()
    await many.open()
    runner.ROUNDS, runner.REQUESTS = ROUNDS, REQUESTS
    rows = []
    for name, place in PAGES.items():
        spent = await runner.compare({"few": await few.asks(place), "many": await many.asks(place)})
        rows.append((name, spent["many"] * 1000, spent["many"] / spent["few"]))
        print(f"{name}: {rows[-1][1]:.1f} ms, {rows[-1][2]:.2f} times", flush=True)
    return rows


def _tell(what: str) -> Any:
    def tell(done: int) -> None:
        if done % 100_000 == 0:
            print(f"{done:,} {what}", file=sys.stderr, flush=True)

    return tell


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.admin")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    people, entries = (count * options.times for count in MANY)
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(dir=environment.SCRATCH)))
        few, many = Side(stack, folder, FEW), Side(stack, folder, (people, entries))
        rows = asyncio.run(measure(few, many))
    record(
        "admin" if options.times == 1 else f"admin, {options.times} times",
        f"{MACHINE}, SQLite, one worker; {people:,} people and {entries:,} events against {FEW[0]} and {FEW[1]:,}.",
        ("page", "ms of CPU", "ratio", "goal"),
        [(name, f"{spent:.1f}", f"{ratio:.2f}", f"<= {GOAL:.0f}") for name, spent, ratio in rows],
    )


if __name__ == "__main__":
    main()
