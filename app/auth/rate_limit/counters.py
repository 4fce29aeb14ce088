"""Rate limit counters that all workers share: the only reader and writer of `throttle_counters`.

Each change is one atomic UPSERT, so no count is ever lost. In a transaction its rows stay locked until the end: what
comes at once is counted one after the other. These rows are locked before the row of a user, always.
A key is a MAC: neither addresses nor e-mails stand in the table. Errors: db.Unavailable.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app import db
from app.auth import keys
from app.auth.models import counter_rows

RETENTION = timedelta(hours=1)  # a row is of use so long after its end: a client that has waited can still come
PRUNE_EVERY = 100  # statements: a flood must not fill the table until the hour is over

_READ = sa.select(counter_rows).where(counter_rows.c.key.in_(sa.bindparam("keys", expanding=True)))
_TAKEN_BACK = (
    sa.update(counter_rows)
    .where(counter_rows.c.key.in_(sa.bindparam("counted", expanding=True)))
    .values(
        count=counter_rows.c.count - 1,
        ends_at=sa.case(
            (counter_rows.c.count <= 1, sa.bindparam("now", type_=counter_rows.c.ends_at.type)),
            else_=counter_rows.c.ends_at,
        ),
    )
)
_BEGUN_AGAIN = (
    sa.update(counter_rows)
    .where(counter_rows.c.key == sa.bindparam("of"), counter_rows.c.ends_at <= sa.bindparam("at_most"))
    .values(ends_at=sa.bindparam("until", type_=counter_rows.c.ends_at.type))
)
_added = 0


def key(*what: str) -> str:
    """The name of a counter; the parts hold no line ends."""
    return keys.mac("throttle", "\n".join(what))


async def read(keys: Collection[str], *, tx: Any = db) -> dict[str, Any]:
    """The rows (key, count, ends_at) that are there, by key; also those that are over."""
    return {row.key: row for row in await tx.fetch_all(_READ, {"keys": list(keys)})}


async def add(windows: Mapping[str, timedelta], by: int, now: datetime, *, tx: Any = db) -> dict[str, Any]:
    """Count at all these keys in one statement; the rows, by key. A window that is over starts anew.

    `tx`: the transaction that it belongs to; undone with it.
    """
    global _added
    # Sorted: two statements that locked the same rows in different orders would wait for each other for ever.
    values = [{"key": key, "count": by, "ends_at": now + windows[key]} for key in sorted(windows)]
    insert = db.insert(counter_rows).values(values)
    old, new = counter_rows.c, insert.excluded
    over = old.ends_at <= now
    changes = {
        "count": sa.case((over, new.count), else_=old.count + new.count),
        "ends_at": sa.case((over, new.ends_at), else_=old.ends_at),
    }
    rows = await tx.fetch_all(
        insert.on_conflict_do_update(index_elements=["key"], set_=changes).returning(counter_rows)
    )
    _added += 1
    if tx is db:  # inside a transaction it would wait for a second connection
        await prune_now_and_then(now)
    return {row.key: row for row in rows}


async def take_back(tx: Any, counted: Collection[str], now: datetime) -> None:
    """What `add` counted in this transaction. A window with nothing in it is over: it tells nobody when it began."""
    await tx.execute(_TAKEN_BACK, {"counted": list(counted), "now": now})


async def begin(key: str, until: datetime) -> None:
    """Have a row there that ends then, unless there is one already."""
    insert = db.insert(counter_rows).values(key=key, count=0, ends_at=until)
    await db.execute(insert.on_conflict_do_nothing(index_elements=["key"]))


async def begin_again(tx: Any, key: str, until: datetime, *, at_most: datetime) -> bool:
    """Move the end of a row there, if it is not beyond `at_most` yet. Of many that try at once, one gets True."""
    values = {"of": key, "until": until, "at_most": at_most}
    return bool(await tx.execute(_BEGUN_AGAIN, values))


async def keep(tx: Any, key: str, until: datetime) -> None:
    """Have a live row there until then or longer, in the caller's transaction."""
    insert = db.insert(counter_rows).values(key=key, count=1, ends_at=until)
    old, new = counter_rows.c.ends_at, insert.excluded.ends_at
    later = sa.case((old > new, old), else_=new)
    await tx.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"ends_at": later}))


async def prune_now_and_then(now: datetime) -> None:
    """Prune now and then."""
    global _added
    if _added >= PRUNE_EVERY:
        _added = 0
        await prune(now)


async def prune(now: datetime) -> int:
    """Delete the rows that are of no use any more; how many."""
    return await db.prune(counter_rows, counter_rows.c.ends_at < now - RETENTION)
