"""Half an hour of ordinary life on one server, and what grows meanwhile: memory, connections, open files, answers.

    python -m bench.soak [--minutes 30] [--people 20]     (make soak)

People sign in, read, write, renew, sign out; some get their password wrong, some vanish. Every few seconds the server's
process is looked at (/proc, so Linux alone). Fails, with exit code 1, if there was an error or something grew. The
figures go to bench/soak.md.
"""

import argparse
import asyncio
import platform
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from tests.support.people import Person, make_user
from tests.support.server import Server, running

RESULTS = Path(__file__).parent / "soak.md"
WARM_SHARE = 0.5  # of the time: caches fill first (tokens, sessions, 2 MB of pages for each connection of SQLite)
MOST_GROWTH = 1.10  # of memory, from then to the end
SLACK = 8  # files and connections that may differ from one look to the next


@dataclass(frozen=True)
class Look:
    seconds: float
    memory_mb: float
    files: int
    threads: int
    answers: int
    p95_ms: float


class Site:
    def __init__(self, server: Server, people: list[Person]) -> None:
        self.server, self.people = server, people
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []
        self.over = False

    async def ask(
        self, client: httpx.AsyncClient, method: str, path: str, expected: set[int], **options: Any
    ) -> httpx.Response:
        began = time.perf_counter()
        answer = await client.request(method, path, **options)
        self.times.append(time.perf_counter() - began)
        fine = answer.status_code in expected
        self.statuses[f"{answer.status_code}" if fine else f"{answer.status_code} at {method} {path}, unexpected"] += 1
        return answer

    async def life(self, person: Person) -> None:
        """One person, again and again: a new browser each time."""
        while not self.over:
            async with httpx.AsyncClient(base_url=self.server.url, timeout=60) as client:
                try:
                    await self.visit(client, person)
                except httpx.HTTPError as error:
                    self.statuses[f"{type(error).__name__}, unexpected"] += 1

    async def visit(self, client: httpx.AsyncClient, person: Person) -> None:
        chance = random.Random()
        login = {"email": person.email, "password": person.password}
        if chance.random() < 0.02:
            await self.ask(
                client, "POST", "/api/auth/login", {401, 429}, json=login | {"password": "not the right one"}
            )
        answer = await self.ask(client, "POST", "/api/auth/login", {200, 429, 503}, json=login)
        if answer.status_code != 200:
            await asyncio.sleep(5)
            return
        pair = answer.json()
        for _ in range(chance.randint(20, 80)):
            if self.over:
                return
            headers = {"Authorization": f"Bearer {pair['access_token']}"}
            what = chance.random()
            if what < 0.4:
                await self.ask(client, "GET", "/api/auth/me", {200}, headers=headers)
            elif what < 0.6:
                await self.ask(client, "GET", "/dashboard", {200}, headers=headers | {"Accept": "text/html"})
            # notes:
            elif what < 0.75:
                await self.ask(client, "GET", "/api/notes", {200}, headers=headers)
            elif what < 0.85:
                made = await self.ask(client, "POST", "/api/notes", {201}, headers=headers, json={"title": "Soaked"})
                await self.ask(client, "DELETE", f"/api/notes/{made.json()['id']}", {204}, headers=headers)
            # /notes
            elif what < 0.95:
                body = {"refresh_token": pair["refresh_token"]}
                pair = (await self.ask(client, "POST", "/api/auth/refresh", {200}, json=body)).json()
            else:
                await self.ask(client, "GET", "/login", {200}, headers={"Accept": "text/html"})
            await asyncio.sleep(chance.expovariate(10))
        if chance.random() < 0.7:
            await self.ask(client, "POST", "/api/auth/logout", {204}, headers=headers)

    def look(self, began: float) -> Look:
        process = Path(f"/proc/{self.server.process.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        times, self.times = sorted(self.times), []
        return Look(
            seconds=time.monotonic() - began,
            memory_mb=int(status["VmRSS"].split()[0]) / 1024,
            files=len(list((process / "fd").iterdir())),
            threads=int(status["Threads"]),
            answers=sum(self.statuses.values()),
            p95_ms=times[int(len(times) * 0.95)] * 1000 if times else 0.0,
        )


async def soak(server: Server, people: list[Person], minutes: float) -> tuple[list[Look], Counter[str]]:
    site, began, looks = Site(server, people), time.monotonic(), []
    lives = [asyncio.create_task(site.life(person)) for person in people]
    every = max(2.0, minutes * 60 / 120)
    while time.monotonic() - began < minutes * 60:
        await asyncio.sleep(every)
        looks.append(site.look(began))
    site.over = True
    await asyncio.gather(*lives)
    return looks, site.statuses


def grown(looks: list[Look]) -> list[str]:
    """What is more at the end than when it was warm; medians of a tenth of the looks each."""
    warm = looks[int(len(looks) * WARM_SHARE) :]
    tenth = max(1, len(warm) // 10)
    first, last = warm[:tenth], warm[-tenth:]

    def of(some: list[Look], name: str) -> float:
        return median(getattr(look, name) for look in some)

    found = []
    if of(last, "memory_mb") > of(first, "memory_mb") * MOST_GROWTH:
        found.append(f"memory grew from {of(first, 'memory_mb'):.0f} to {of(last, 'memory_mb'):.0f} MB")
    for name in ("files", "threads"):
        if of(last, name) > of(first, name) + SLACK:
            found.append(f"{name} grew from {of(first, name):.0f} to {of(last, name):.0f}")
    return found


def report(looks: list[Look], statuses: Counter[str], minutes: float, people: int) -> str:
    shown = looks[:: max(1, len(looks) // 12)] + looks[-1:]
    rows = [
        f"| {look.seconds / 60:.1f} | {look.memory_mb:.0f} | {look.files} | {look.threads} | {look.answers}"
        f" | {look.p95_ms:.0f} |"
        for look in dict.fromkeys(shown)
    ]
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    return "\n".join(
        [
            "# Soak",
            "",
            f"`python -m bench.soak --minutes {minutes:g} --people {people}`: one worker, SQLite, Python"
            f" {platform.python_version()}. Written by the run; compare shapes, not machines.",
            "",
            "| minute | memory, MB | open files | threads | answers so far | p95, ms |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"Answers: {answers}. Grew: {'; '.join(grown(looks)) or 'nothing'}.",
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--people", type=int, default=20)
    options = parser.parse_args()
    with running(APP_LOGIN_FAILURES_PER_MINUTE="100000", APP_ADDRESS_FAILURES_PER_5_MINUTES="100000") as server:

        async def crowd() -> list[Person]:
            return [await make_user() for _ in range(options.people)]

        people = server.run(crowd)
        looks, statuses = asyncio.run(soak(server, people, options.minutes))
        failed = "Traceback" in server.log()
    RESULTS.write_text(report(looks, statuses, options.minutes, options.people))
    wrong = [status for status in statuses if "unexpected" in status] + grown(looks)
    wrong += ["a traceback in the log"] * failed
    print(RESULTS.read_text())
    print("soak: " + ("; ".join(wrong) if wrong else "no error, nothing grew"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
