"""Not a test: run as a program by test_processes, it becomes four processes on the database whose URL is its argument.

They migrate it, all at once, and then compete for one note in turn. Prints what came of it as JSON.
"""

import asyncio
import json
import multiprocessing
import sys
from typing import Any

import sqlalchemy as sa

from app import db
from app.auth.models import user_rows
from app.notes.models import note_rows

PROCESSES, COROUTINES, INCREMENTS = 4, 50, 10
PATIENCE_SECONDS = 100
note = {"id": db.uuid7(), "owner_id": db.uuid7(), "title": "0", "created_at": db.utcnow(), "updated_at": db.utcnow()}
owner = {"id": note["owner_id"], "email": "a@b.example", "email_key": "a@b.example", "name": "Ann", "password": "-"}
this_note = note_rows.c.id == note["id"]


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
    await db.execute(sa.insert(user_rows).values(owner | {"created_at": db.utcnow()}))
    await db.execute(sa.insert(note_rows).values(note))


async def compete(number: int) -> dict[str, int]:
    swapped = await asyncio.gather(*[swap(f"{number}.{each}") for each in range(COROUTINES)])
    await asyncio.gather(*[increment() for _ in range(INCREMENTS)])
    return {"won": sum(swapped), "pending": len(await asyncio.to_thread(db.pending))}


async def swap(name: str) -> bool:
    """Compare-and-swap: the title is still what everybody saw."""
    won = sa.update(note_rows).where(this_note, note_rows.c.title == "0").values(title=name).returning(note_rows.c.id)
    return await db.fetch_one(won) is not None


async def increment() -> None:
    """Read, then write what was read plus one."""
    async with db.transaction() as tx:
        body = await tx.fetch_value(sa.select(note_rows.c.body).where(this_note).with_for_update())
        await tx.execute(sa.update(note_rows).where(this_note).values(body=str(int(body or 0) + 1)))


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
    total = asyncio.run(connected(db.fetch_value(sa.select(note_rows.c.body).where(this_note))))
    json.dump({"processes": found, "increments": int(total)}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
