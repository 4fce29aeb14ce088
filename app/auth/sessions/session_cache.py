"""The session cache: is the session behind a good access token still live, and whose is it?

A badge is checked in once, with one query, and then remembered by this worker until its token ends, or until the change
feed says that a row behind it changed. Nobody who calls `load` can tell whether it was remembered.
Chapter: "Revocation and the session cache". Pattern: why. Source: v5.0.0-7.4.1, v5.0.0-8.3.2.
"""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cachetools import LRUCache

from app import db
from app.auth.models import invalidation_rows, session_rows, user_rows
from app.auth.tokens import AppToken
from app.observability import logs

log = logs.get("auth")

MAX_ENTRIES = 5_000  # badges a worker remembers; the oldest go first
MAX_FEED_ROWS = 1_000  # rows that it reads, 10 ms of one core
READ_EVERY = 0.5  # seconds between two reads of the feed
MAX_FEED_AGE = 5.0  # seconds after a read began: later nothing remembered counts, every request checks in
WINDOW = timedelta(minutes=5)  # each read takes all of it again: commits become visible out of order
RETENTION = timedelta(days=1)
CHECKS = ("session", "account", "revoked", "ended", "owner", "generation")  # in the order in which they are made

# Prepared once: what check-in says to the database, and the same with nobody able to change the rows meanwhile.
_s, _u = session_rows.c, user_rows.c
SESSION_AND_USER = (
    sa.select(
        _s.user_id,
        _s.generation,
        _s.confirmed,
        _s.revoked_at,
        _s.ends_at,
        _s.program,
        _u.email,
        _u.name,
        _u.role,
        _u.is_active,
        _u.must_change_password,
        _u.second_factor_at,
    )
    .select_from(session_rows.join(user_rows, _s.user_id == _u.id))
    .where(_s.id == sa.bindparam("sid"))
)
LOCK_USER = sa.select(_u.id).where(_u.id == sa.bindparam("holder")).with_for_update(key_share=True)
LOCK_SESSION_AND_USER = SESSION_AND_USER.with_for_update(read=True, of=session_rows)
_CONFIRM = sa.update(session_rows).where(
    _s.id == sa.bindparam("sid"), _s.confirmed < sa.bindparam("shown"), _s.revoked_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class CachedSession:
    """What the rows say about the holder: never the token's copy, which goes stale."""

    user_id: UUID
    email: str
    name: str
    role: str
    sid: UUID
    must_change_password: bool = False
    second_factor: bool = False
    program: bool = False


class SessionCache:
    """What this worker remembers: (sid, generation) -> the badge, and when the token that fetched it ends."""

    def __init__(self) -> None:
        self.entries: LRUCache[tuple[UUID, int], tuple[CachedSession, datetime]] = LRUCache(MAX_ENTRIES)
        self.epoch = 0  # moves with every drop: a check-in that began before it does not store
        self.read_began = float("-inf")  # monotonic seconds
        self.read_at: datetime | None = None  # the same moment by the database's clock


_cache = SessionCache()


async def load(token: AppToken, now: datetime, *, remembered: bool = True) -> CachedSession | None:
    """The holder's badge; None when the session is over, the account inactive, or the token not of this session.

    `remembered=False` asks the rows in any case. On a miss the token's generation is marked as arrived, best effort: a
    read-only database still serves pages. Errors: db.Unavailable.
    """
    key, began, epoch = (token.sid, token.gen), time.monotonic(), _cache.epoch
    cached, until = _cache.entries.get(key, (None, now)) if remembered and _feed_is_recent(began) else (None, now)
    if cached and now < until and str(cached.user_id) == token.sub:
        return cached
    cached = await _load_rows(token, now)
    # The second look at the clock: a process that was stopped for minutes in between has slept through the feed.
    if cached and epoch == _cache.epoch and _feed_is_recent(began) and time.monotonic() - began < MAX_FEED_AGE:
        _cache.entries[key] = (cached, token.exp)
    return cached


def of_row(row: Any, token: AppToken, now: datetime) -> CachedSession | None:
    """What a row of SESSION_AND_USER makes of the token: the cached session, or None as `load` has it."""
    if _rejection(row, token, now):
        return None
    second_factor = row.second_factor_at is not None
    wanted = row.must_change_password
    return CachedSession(row.user_id, row.email, row.name, row.role, token.sid, wanted, second_factor, row.program)


async def rejected_by(token: AppToken, now: datetime) -> str | None:
    """The name in CHECKS of what the rows refuse the token for, or None. For explaining: nothing is remembered."""
    return _rejection(await db.fetch_one(SESSION_AND_USER, {"sid": token.sid}), token, now)


async def invalidate(tx: Any, *, session_id: UUID | None = None, user_id: UUID | None = None) -> None:
    """Tell every worker, in the transaction that makes the change; this one forgets the moment it is committed.

    One of the two. A row for each, however often it changes: each worker reads the feed twice a second, and somebody
    who takes a new name all day long must not make it long. The row behind it is locked already, by what changed it.
    """
    values = {"id": session_id or user_id, "at": db.now(), "session_id": session_id, "user_id": user_id}
    named = db.insert(invalidation_rows).values(values)
    await tx.execute(named.on_conflict_do_update(index_elements=["id"], set_={"at": db.now()}))
    tx.after_commit.append(lambda: evict({session_id, user_id}))


def evict(changed: Collection[UUID | None]) -> None:
    """Forget the badges of these sessions and users, in this worker, at once."""
    _cache.epoch += 1
    for key in [key for key, (cached, _) in _cache.entries.items() if key[0] in changed or cached.user_id in changed]:
        del _cache.entries[key]


async def follow_invalidations() -> None:
    """Read the feed for ever: the background task of a worker. A database that is down is asked again."""
    while True:
        try:
            await read_invalidations()
        except db.Unavailable:
            log.warning("feed_unread")  # from MAX_FEED_AGE on every request asks the rows
        await asyncio.sleep(READ_EVERY)


async def read_invalidations() -> None:
    """Drop what changed within the window, every time: rows are applied again, never remembered as done."""
    began = time.monotonic()
    if not _feed_is_recent(began):
        clear()  # changes may have come and gone while nobody read
    # One row at least, which brings the database's clock along.
    clock = sa.select(db.now().label("now")).subquery()
    recent = invalidation_rows.c.at > _cache.read_at - WINDOW if _cache.read_at else sa.false()
    query = sa.select(clock.c.now, invalidation_rows.c.session_id, invalidation_rows.c.user_id)
    rows = await db.fetch_all(query.select_from(clock.outerjoin(invalidation_rows, recent)).limit(MAX_FEED_ROWS + 1))
    changed = {owner for row in rows for owner in (row.session_id, row.user_id) if owner}
    if len(rows) > MAX_FEED_ROWS:
        changed = {sid for sid, _ in _cache.entries}  # not read to its end, so everybody's
    if changed:
        evict(changed)
    _cache.read_at, _cache.read_began = rows[0].now, began


async def prune(now: datetime) -> int:
    """Delete the rows of the feed that nobody reads any more; how many."""
    return await db.prune(invalidation_rows, invalidation_rows.c.at < now - RETENTION)


def feed_lag() -> float:
    """Seconds since the last read of the feed began; infinite before the first one."""
    return time.monotonic() - _cache.read_began


def feed_is_fresh() -> bool:
    """Whether this worker hears the feed."""
    return _feed_is_recent(time.monotonic())


def clear() -> None:
    """Begin anew, as a worker that has just started."""
    _cache.__init__()  # type: ignore[misc]


def _feed_is_recent(at: float) -> bool:
    """Whether what is remembered counts at this monotonic time: fail closed when the feed is not heard."""
    return at - _cache.read_began <= MAX_FEED_AGE


async def _load_rows(token: AppToken, now: datetime) -> CachedSession | None:
    row = await db.fetch_one(SESSION_AND_USER, {"sid": token.sid})
    cached = of_row(row, token, now)
    if cached and token.gen > row.confirmed:
        await _mark_confirmed(token, now)
    return cached


def _rejection(row: Any, token: AppToken, now: datetime) -> str | None:
    if row is None:
        return "session"
    if not row.is_active:
        return "account"
    if row.revoked_at is not None:
        return "revoked"
    if now >= row.ends_at:
        return "ended"
    if str(row.user_id) != token.sub:
        return "owner"
    return "generation" if token.gen > row.generation else None


async def _mark_confirmed(token: AppToken, now: datetime) -> None:
    """The pair of this generation arrived: from now on its predecessor is old (see `rotation_policy`)."""
    values = {"sid": token.sid, "shown": token.gen, "confirmed": token.gen, "last_seen_at": now}
    try:
        await db.execute(_CONFIRM, values)
    except db.Unavailable:
        log.warning("generation_unconfirmed")  # the database takes no writes
