"""Counters that all workers share: the only reader and writer of `throttle_counters`. What they mean is in `throttle`.

Each change is one atomic UPSERT in autocommit, so a row is locked for one statement and no count is ever lost. A key is
a MAC: neither addresses nor e-mails stand in the table. Errors: db.Unavailable.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from app import db
from app.auth import keys
from app.auth.models import throttle_rows

KEPT = timedelta(hours=1)  # a row is of use so long after its end: a turn can still be taken
PRUNE_EVERY = 100  # statements: a flood must not fill the table until the hour is over

_LIVE = sa.select(throttle_rows).where(
    throttle_rows.c.key.in_(sa.bindparam("asked", expanding=True)), throttle_rows.c.ends_at > sa.bindparam("now")
)
_added = 0


def key(*what: str) -> str:
    """The name of a counter; the parts hold no line ends."""
    return keys.seal("throttle", "\n".join(what))


async def live(asked: Collection[str], now: datetime) -> dict[str, Any]:
    """The rows (key, count, ends_at) that are there and not over, by key."""
    return {row.key: row for row in await db.fetch_all(_LIVE, {"asked": list(asked), "now": now})}


def all_below(limits: Mapping[str, int], now: datetime) -> tuple[Any, dict[str, Any]]:
    """For the WHERE of another statement, with its parameters: none of these keys has reached its limit."""
    parameters: dict[str, Any] = {"counted_now": now}
    for number, (name, most) in enumerate(limits.items()):
        parameters |= {f"counter_{number}": name, f"most_{number}": most}
    return _all_below(len(limits)), parameters


@cache
def _all_below(how_many: int) -> Any:
    table = throttle_rows
    full = (
        sa.and_(table.c.key == sa.bindparam(f"counter_{number}"), table.c.count >= sa.bindparam(f"most_{number}"))
        for number in range(how_many)
    )
    return ~sa.exists().where(sa.or_(*full), table.c.ends_at > sa.bindparam("counted_now"))


async def add(windows: Mapping[str, timedelta], by: int, now: datetime, *, tx: Any = db) -> dict[str, Any]:
    """Count at all these keys in one statement; the rows, by key. A window that is over starts anew.

    `tx`: the transaction that it belongs to; undone with it.
    """
    global _added
    # Sorted: two statements that locked the same rows in different orders would wait for each other for ever.
    values = [{"key": key, "count": by, "ends_at": now + windows[key]} for key in sorted(windows)]
    insert = db.insert(throttle_rows).values(values)
    old, new = throttle_rows.c, insert.excluded
    over = old.ends_at <= now
    changes = {
        "count": sa.case((over, new.count), else_=old.count + new.count),
        "ends_at": sa.case((over, new.ends_at), else_=old.ends_at),
    }
    rows = await tx.fetch_all(
        insert.on_conflict_do_update(index_elements=["key"], set_=changes).returning(throttle_rows)
    )
    _added += 1
    if tx is db and _added % PRUNE_EVERY == 0:
        await prune(now)
    return {row.key: row for row in rows}


async def take_turn(key: str, seconds: int, now: datetime) -> bool:
    """Has this key waited? If so, or if it is new, its next wait begins. Of many who ask at once one is told yes."""
    insert = db.insert(throttle_rows).values(key=key, count=0, ends_at=now + timedelta(seconds=seconds))
    changes = {"count": throttle_rows.c.count + 1, "ends_at": insert.excluded.ends_at}
    upsert = insert.on_conflict_do_update(index_elements=["key"], set_=changes, where=throttle_rows.c.ends_at <= now)
    row = await db.fetch_one(upsert.returning(throttle_rows.c.count))
    return row is not None and row.count > 0


async def keep(tx: Any, key: str, until: datetime) -> None:
    """Have a live row there until then, in the caller's transaction."""
    insert = db.insert(throttle_rows).values(key=key, count=1, ends_at=until)
    await tx.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"ends_at": insert.excluded.ends_at}))


async def prune(now: datetime) -> int:
    """Delete the rows that are of no use any more; how many."""
    return await db.prune(throttle_rows, throttle_rows.c.ends_at < now - KEPT)
