"""What a large site would ask of this design, by arithmetic over measured costs; writes the table of docs/scaling.md.

    python -m bench.scale_sim                # the table, from the constants below
    python -m bench.scale_sim --measure      # bytes of a row and CPU time of a read, on a PostgreSQL of its own

A model, not a measurement: every assumption is a field of `PeopleFilters` or `Costs` with its unit. What it is good for
is the order of magnitude, and which part reaches its end first.
"""

import argparse
import asyncio
import math
import time
from dataclasses import dataclass
from pathlib import Path

DAY = 86_400  # seconds
PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
SIZES = (1_000_000, 10_000_000, 100_000_000)


@dataclass(frozen=True)
class People:
    """How active accounts behave. Per account and day unless said otherwise."""

    devices: float = 1.6  # sessions that are live at once, per account
    requests: float = 40  # authenticated requests
    visits: float = 3  # spells of activity, of at most one renewal for each 15 minutes
    minutes: float = 25  # length of a spell
    sign_ins: float = 0.05  # a session lasts up to 30 days
    ends: float = 0.08  # sessions ended, replaced or changed: rows of the invalidation feed
    failures: float = 0.02  # wrong passwords
    peak: float = 3.0  # busiest hour, as a multiple of the average
    retention_days: int = 365  # of the audit log; nothing deletes it unless the operator does
    session_days: int = 60  # a row of a session lives 30 days and stays 30 more


@dataclass(frozen=True)
class Costs:
    """Measured on PostgreSQL 18 with this application; CPU in milliseconds, rows in bytes with their indexes."""

    request_ms: float = 0.35  # an authenticated request in a worker, JSON and pages mixed
    refresh_ms: float = 1.5  # in a worker
    refresh_db_ms: float = 0.6  # in the database: read, conditional update, audit row, commit
    load_db_ms: float = 0.15  # a session loaded into a worker's cache: one query
    login_ms: float = 45.0  # argon2id and the statements around it
    feed_row_ms: float = 0.007  # a worker reads one row of the feed
    session_bytes: int = 429
    audit_bytes: int = 522
    user_bytes: int = 1_500  # with the words that the search finds it by
    feed_window_seconds: int = 300
    feed_reads_per_second: float = 2.0
    feed_longest_rows: int = 1_000
    worker_use: float = 0.5  # of a core that a worker may be busy at the peak
    database_cores: int = 32  # of one large server, half of them used at the peak


@dataclass(frozen=True)
class Load:
    """Per second, at the peak."""

    requests: float
    refreshes: float
    sign_ins: float
    feed_rows: float
    workers: int
    database_cores: float
    feed_window: float
    sessions_gb: float
    audit_gb: float
    audit_rows_day: float


def load(accounts: int, people: People, costs: Costs) -> Load:
    """What `accounts` active ones a day ask for. Pure."""
    each = accounts * people.peak / DAY
    refreshes = each * people.visits * math.ceil(people.minutes / 15)
    requests, sign_ins, ends = each * people.requests, each * people.sign_ins, each * people.ends
    busy = requests * costs.request_ms + refreshes * costs.refresh_ms + sign_ins * costs.login_ms
    workers = math.ceil(busy / 1000 / costs.worker_use)
    window = ends * costs.feed_window_seconds
    heard = min(window, costs.feed_longest_rows)
    # A spell is served by several workers: each loads the session once for each access token.
    loads = refreshes * min(workers, people.requests / people.visits)
    if window > costs.feed_longest_rows:
        loads = requests  # the cache is emptied at each read, so nearly every request loads its session
    feed = workers * costs.feed_reads_per_second * heard * costs.feed_row_ms
    database = (refreshes * costs.refresh_db_ms + loads * costs.load_db_ms + sign_ins * 3 + feed) / 1000
    rows = accounts * (people.visits * math.ceil(people.minutes / 15) + 2 * people.sign_ins + people.failures)
    live = accounts * people.devices + accounts * people.sign_ins * people.session_days
    return Load(
        requests=requests,
        refreshes=refreshes,
        sign_ins=sign_ins,
        feed_rows=ends,
        workers=workers,
        database_cores=database,
        feed_window=window,
        sessions_gb=live * costs.session_bytes / 1e9,
        audit_gb=rows * people.retention_days * costs.audit_bytes / 1e9,
        audit_rows_day=rows,
    )


def table(people: People | None = None, costs: Costs | None = None) -> str:
    people, costs = people or People(), costs or Costs()
    loads = [load(size, people, costs) for size in SIZES]
    rows = [
        ("authenticated requests a second, peak", [f"{each.requests:,.0f}" for each in loads]),
        ("renewals a second", [f"{each.refreshes:,.0f}" for each in loads]),
        ("sign-ins a second", [f"{each.sign_ins:,.1f}" for each in loads]),
        ("workers, half busy", [f"{each.workers:,}" for each in loads]),
        ("cores of the database, busy", [f"{each.database_cores:,.1f}" for each in loads]),
        ("rows in the five minutes of the feed", [f"{each.feed_window:,.0f}" for each in loads]),
        ("table of sessions", [f"{each.sessions_gb:,.1f} GB" for each in loads]),
        ("rows of the audit log a day", [f"{each.audit_rows_day / 1e6:,.1f} million" for each in loads]),
        ("audit log of a year", [f"{each.audit_gb / 1000:,.1f} TB" for each in loads]),
    ]
    head = "| active accounts a day | " + " | ".join(f"{size // 1_000_000} million" for size in SIZES) + " |"
    lines = [head, "|---" * (len(SIZES) + 1) + "|", *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)]
    return "\n".join(lines)


def largest_feed(people: People, costs: Costs) -> int:
    """Active accounts a day from which on the feed is longer than a worker reads."""
    return int(costs.feed_longest_rows / costs.feed_window_seconds / (people.peak * people.ends / DAY))


async def measured() -> dict[str, str]:
    """Bytes of a row with its indexes, and what a row of the feed costs a worker that reads it."""
    import sqlalchemy as sa

    from app import db
    from app.auth.models import invalidation_rows
    from app.auth.sessions import session_cache
    from app.cli import seed

    await db.connect()
    found = {}
    await seed.fill(20_000, 200_000, lambda _: None, lambda _: None)
    for name in ("users", "user_words", "sessions", "audit_events"):
        size = f"SELECT pg_table_size('{name}') + pg_indexes_size('{name}') AS bytes, count(*) AS rows FROM {name}"
        row = await db.fetch_one(sa.text(size))
        found[f"{name}, bytes a row"] = f"{row.bytes / row.rows:.0f}"
    spent = []
    for rows in (0, 900):
        ids = [db.uuid7() for _ in range(rows)]
        if ids:
            named = [{"id": each, "at": db.utcnow(), "session_id": each} for each in ids]
            await db.execute(sa.insert(invalidation_rows).values(named))
        began = time.process_time()
        for _ in range(20):
            await session_cache.read_invalidations()
        spent.append((time.process_time() - began) / 20)
    found["a row of the feed, ms of CPU"] = f"{(spent[1] - spent[0]) / 900 * 1000:.4f}"
    await db.disconnect()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale_sim", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure the costs anew, and print them")
    if parser.parse_args().measure:
        from tests.support import postgres  # isort: skip  # first, for it sets up the environment
        from app import db

        db.point_at(postgres.fresh())
        print("\n".join(f"{what}: {figure}" for what, figure in asyncio.run(measured()).items()))
        return
    begin, end = "<!-- simulation -->", "<!-- end of simulation -->"
    before, rest = PAGE.read_text().split(begin)
    PAGE.write_text(f"{before}{begin}\n{table()}\n{end}{rest.split(end)[1]}")
    print(table())
    print(f"The feed is read whole up to {largest_feed(People(), Costs()):,} active accounts a day.")


if __name__ == "__main__":
    main()
