"""The session cache: looks up the session and the user of a valid access token.

One query loads both rows. The worker then caches the result until the access token expires, or until the invalidation
feed reports a change of either row. Callers of `load` get the same result with and without the cache.
Chapter: "Revocation and the session cache". Pattern: why. Source: v5.0.0-7.4.1, v5.0.0-8.3.2.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cachetools import LRUCache

from app import db
from app.auth.claims import AppToken
from app.auth.models import invalidation_rows, session_rows, user_rows
from app.observability import logs

log = logs.get("auth")

MAX_ENTRIES = 5_000  # cached sessions per worker; the least recently used are evicted first
MAX_FEED_ROWS = 1_000  # rows per read of the feed, 10 ms of one core
READ_EVERY = 0.5  # seconds between two reads of the feed
MAX_FEED_AGE = 5.0  # seconds since the last read began; after that, every request queries the database
WINDOW = timedelta(minutes=5)  # each read covers all of it, because commits become visible out of order
RETENTION = timedelta(days=1)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # no row of the feed is as late
CHECKS = ("session", "account", "revoked", "ended", "owner", "generation")  # in the order in which `load` makes them

# Built once at import: the query of `load`, and the same query with row locks.
_s, _u = session_rows.c, user_rows.c
SESSION_AND_USER = (
    sa.select(
        _s.user_id,
        _s.generation,
        _s.confirmed,
        _s.revoked_at,
        _s.ends_at,
        _s.program,
        (_s.device_key != "").label("bound"),
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
# The outer join returns at least one row, with the database's time.
_clock, _i = sa.select(db.now().label("now")).subquery(), invalidation_rows.c
_FEED = (
    sa.select(_clock.c.now, _i.session_id, _i.user_id, _i.at)
    .select_from(_clock.outerjoin(invalidation_rows, _i.at > sa.bindparam("since", type_=_i.at.type)))
    .limit(sa.bindparam("most", type_=sa.Integer))
)


@dataclass(frozen=True, slots=True)
class CachedSession:
    """A session and its user as stored in the database, not as the token claims."""

    user_id: UUID
    email: str
    name: str
    role: str
    sid: UUID
    ends_at: datetime
    must_change_password: bool = False
    second_factor: bool = False
    program: bool = False
    bound: bool = False


class SessionCache:
    """The cache of one worker: (session id, generation) -> the session, and the expiry of the token that loaded it."""

    def __init__(self) -> None:
        self.entries: LRUCache[tuple[UUID, int], tuple[CachedSession, datetime]] = LRUCache(MAX_ENTRIES)
        self.epoch = 0  # counts evictions: a `load` that began before an eviction does not store its result
        self.read_began = float("-inf")  # monotonic seconds
        self.read_at: datetime | None = None  # the same time by the database's clock
        self.known: dict[UUID, datetime] = {}  # what the last read found: the session or user, and when it changed


_cache = SessionCache()
_watchers: list[Callable[[Collection[UUID | None] | None], None]] = []


async def load(token: AppToken, now: datetime, *, use_cache: bool = True) -> CachedSession | None:
    """The session of the token; None if it has ended, the account is inactive, or the token is not of this session.

    `use_cache=False` always queries the database. A query also marks the token's generation as received by the client;
    if that write fails, the request is still served (read-only database). Errors: db.Unavailable.
    """
    key, began, epoch = (token.sid, token.gen), time.monotonic(), _cache.epoch
    cached, until = _cache.entries.get(key, (None, now)) if use_cache and _feed_is_recent(began) else (None, now)
    if cached and now < until and str(cached.user_id) == token.sub:
        return cached
    cached = await _load_rows(token, now)
    # Check the clock again: a process that was stopped for minutes in between has missed invalidations.
    if cached and epoch == _cache.epoch and _feed_is_recent(began) and time.monotonic() - began < MAX_FEED_AGE:
        _cache.entries[key] = (cached, token.exp)
    return cached


def of_row(row: Any, token: AppToken, now: datetime) -> CachedSession | None:
    """The CachedSession from a row of SESSION_AND_USER; None in the cases in which `load` returns None."""
    if _rejection(row, token, now):
        return None
    second_factor = row.second_factor_at is not None
    wanted = row.must_change_password
    return CachedSession(
        row.user_id,
        row.email,
        row.name,
        row.role,
        token.sid,
        row.ends_at,
        wanted,
        second_factor,
        row.program,
        row.bound,
    )


async def rejected_by(token: AppToken, now: datetime) -> str | None:
    """The first check of CHECKS that the token fails, or None. For explanations: does not touch the cache."""
    return _rejection(await db.fetch_one(SESSION_AND_USER, {"sid": token.sid}), token, now)


async def invalidate(tx: Any, *, session_id: UUID | None = None, user_id: UUID | None = None) -> None:
    """Invalidate a session or a user in every worker's cache, in the transaction that makes the change.

    Give one of the two ids. This worker evicts its entries right after the commit; the others read the feed. The feed
    has one row per session or user, however often it changes: every worker reads the feed twice a second, so
    frequent changes to one account must not lengthen it. The caller's change has already locked the row in question.
    """
    values = {"id": session_id or user_id, "at": db.now(), "session_id": session_id, "user_id": user_id}
    named = db.insert(invalidation_rows).values(values)
    await tx.execute(named.on_conflict_do_update(index_elements=["id"], set_={"at": db.now()}))
    tx.after_commit.append(lambda: _committed({session_id, user_id}))


def watch(watcher: Callable[[Collection[UUID | None] | None], None]) -> None:
    """Have `watcher` called with the sessions and users that changed: after each commit in this worker, and once for
    each change that the feed reports. It is called with None if this worker does not know what changed.
    """
    _watchers.append(watcher)


def evict(changed: Collection[UUID | None]) -> None:
    """Remove the entries of these sessions and users from this worker's cache."""
    _cache.epoch += 1
    for key in [key for key, (cached, _) in _cache.entries.items() if key[0] in changed or cached.user_id in changed]:
        del _cache.entries[key]


async def follow_invalidations() -> None:
    """Read the invalidation feed in a loop: a background task of every worker. Continues after database errors."""
    while True:
        try:
            await read_invalidations()
        except db.Unavailable:
            log.warning("feed_unread")  # after MAX_FEED_AGE, every request queries the database
        await asyncio.sleep(READ_EVERY)


async def read_invalidations() -> None:
    """Evict everything that changed within WINDOW. A row is applied at every read until it leaves the window."""
    began = time.monotonic()
    if not _feed_is_recent(began):
        clear()  # rows may have appeared and left the window since the last read
    since = _cache.read_at - WINDOW if _cache.read_at else NEVER
    rows = await db.fetch_all(_FEED, {"since": since, "most": MAX_FEED_ROWS + 1})
    found = {row.session_id or row.user_id: row.at for row in rows if row.at}
    changed: Collection[UUID | None] = found.keys()
    if len(rows) > MAX_FEED_ROWS:
        changed = {sid for sid, _ in _cache.entries}  # the feed was not read to its end: evict all entries
    if changed:
        evict(changed)
    if len(rows) > MAX_FEED_ROWS or not _feed_is_recent(began):
        _notify(None)
    elif changed := {owner for owner, at in found.items() if _cache.known.get(owner) != at}:
        _notify(changed)
    _cache.known = found
    _cache.read_at, _cache.read_began = rows[0].now, began


async def prune(now: datetime) -> int:
    """Delete the rows of the feed that are older than a day. Returns how many."""
    return await db.prune(invalidation_rows, invalidation_rows.c.at < now - RETENTION)


def feed_lag() -> float:
    """Seconds since the last read of the feed began; infinite before the first one."""
    return time.monotonic() - _cache.read_began


def feed_is_fresh() -> bool:
    """Whether this worker has read the invalidation feed within MAX_FEED_AGE."""
    return _feed_is_recent(time.monotonic())


def clear() -> None:
    """Reset the cache to the state of a worker that has just started."""
    _cache.__init__()  # type: ignore[misc]


def _feed_is_recent(at: float) -> bool:
    """Whether cached entries may be used at this monotonic time: fails closed if the feed was not read."""
    return at - _cache.read_began <= MAX_FEED_AGE


def _committed(ids: Collection[UUID | None]) -> None:
    evict(ids)
    _notify(ids)


def _notify(changed: Collection[UUID | None] | None) -> None:
    for watcher in _watchers:
        watcher(changed)


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
    """Record that the client received this generation: from now on the previous one is old (`rotation_policy`)."""
    values = {"sid": token.sid, "shown": token.gen, "confirmed": token.gen, "last_seen_at": now}
    try:
        await db.execute(_CONFIRM, values)
    except db.Unavailable:
        log.warning("generation_unconfirmed")  # the database takes no writes
