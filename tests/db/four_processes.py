"""Not a test: run as a program by test_processes, it becomes four processes on the database whose URL is its argument.

They migrate it, all at once, and then compete for one row in turn. Prints what came of it as JSON.
"""

import asyncio
import json
import multiprocessing
import sys
from typing import Any

import sqlalchemy as sa

from app import db
from app.auth.models import user_rows

PROCESSES, COROUTINES, INCREMENTS = 4, 50, 10
PATIENCE_SECONDS = 100
person = {"id": db.uuid7(), "email": "a@b.example", "email_key": "a@b.example", "name": "0", "password": "-"}
this_one = user_rows.c.id == person["id"]


def work(number: int, barrier: Any, results: Any) -> None:
    try:
        take_part(number, barrier, results)
    except BaseException:
        barrier.abort()  # or the others would wait for this one for ever
        raise


def take_part(number: int, barrier: Any, results: Any) -> None:
    barrier.wait()
    db.upgrade()
    barrier.wait()
    if number == 0:
        asyncio.run(connected(prepare()))
    barrier.wait()
    results.put(asyncio.run(connected(compete(number))))


async def connected(what: Any) -> Any:
    await db.connect()
    try:
        return await what
    finally:
        await db.disconnect()


async def prepare() -> None:
    await db.execute(sa.insert(user_rows).values(person | {"created_at": db.utcnow()}))


async def compete(number: int) -> dict[str, int]:
    swapped = await asyncio.gather(*[swap(f"{number}.{each}") for each in range(COROUTINES)])
    await asyncio.gather(*[increment() for _ in range(INCREMENTS)])
    return {"won": sum(swapped), "pending": len(await asyncio.to_thread(db.pending))}


async def swap(name: str) -> bool:
    """Compare-and-swap: the name is still what everybody saw."""
    won = sa.update(user_rows).where(this_one, user_rows.c.name == "0").values(name=name).returning(user_rows.c.id)
    return await db.fetch_one(won) is not None


async def increment() -> None:
    """Read, then write what was read plus one."""
    async with db.transaction() as tx:
        count = await tx.fetch_value(sa.select(user_rows.c.search_text).where(this_one).with_for_update())
        await tx.execute(sa.update(user_rows).where(this_one).values(search_text=str(int(count or 0) + 1)))


def main(url: str) -> None:
    db.point_at(url)
    context = multiprocessing.get_context("fork")  # everything is imported once
    barrier, results = context.Barrier(PROCESSES, timeout=PATIENCE_SECONDS), context.SimpleQueue()
    workers = [context.Process(target=work, args=(number, barrier, results)) for number in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        sys.exit("a process has failed")
    found = [results.get() for _ in workers]
    total = asyncio.run(connected(db.fetch_value(sa.select(user_rows.c.search_text).where(this_one))))
    json.dump({"processes": found, "increments": int(total)}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
