"""The rate limit on refresh tokens, and on e-mails to one address (guesses: see `attempts`).

Chapter: "Logging in". Source: v5.0.0-2.4.1; RFC 6585 section 4.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from cachetools import LRUCache

from app.audit import events
from app.auth import tokens
from app.auth.rate_limit import counters, limits
from app.web import client
from app.web.email_address import without_tag

BATCH = 20  # refreshes that a worker counts by itself before it tells the database
MAX_QUICK = 300  # refreshes in a row, each within 5 seconds of the one before

# E-mails to any address that somebody names: kind -> how many one mailbox gets, in which time.
EMAILS = {
    "register": (3, timedelta(hours=6)),
    "resend": (3, timedelta(hours=6)),
    "forgot": (5, timedelta(days=1)),
    "change_email": (3, timedelta(hours=6)),
}

_tallies: LRUCache[tuple[str, str], "_Tally"] = LRUCache(10_000)


async def count_refresh(raw: str, now: datetime) -> None:
    """Count a refresh token that was presented, good or bad, before anything is done about it."""
    await _tally(limits.TOKEN, sha256(raw[: tokens.LONGEST].encode("utf-8", "surrogatepass")).hexdigest(), now)


async def count_invalid_token(now: datetime) -> None:
    """Count a refresh token that is not one of ours. Valid ones from the same network are not counted here."""
    await _tally(limits.INVALID_TOKEN, limits.networks_of(client.current().ip)[-1], now)


@dataclass(slots=True)
class _Tally:
    """What this worker has counted. `batch`: how many it counts before it writes to the database."""

    unreported: int = 0
    batch: int = BATCH
    full_until: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


async def _tally(scope: str, what: str, now: datetime) -> None:
    """Count in this worker, and every 20th time in the database: a flood must cost less than what it asks for.

    Calls run one after the other. One worker lets through exactly the limit: near it the batches get smaller. Each
    other worker may have up to 19 that it has not reported yet: 300 are at most 300 + 19 x (workers - 1). If the
    database does not answer, a batch is lost; no token can be refreshed then, either.
    """
    seen = _tallies.setdefault((scope, what), _Tally())
    async with seen.lock:
        if seen.full_until and now < seen.full_until:
            raise limits.too_many_attempts(seen.full_until, now)
        seen.unreported += 1
        if seen.unreported < seen.batch:
            return
        reported, seen.unreported = seen.unreported, 0
        key, (most, window) = counters.key(scope, what), limits.limit(scope)
        row = (await counters.add({key: window}, reported, now))[key]
        seen.batch = min(BATCH, max(1, most - row.count + 1))
        if row.count > most:
            seen.full_until = row.ends_at
            if row.count - reported <= most:
                await events.record(events.REFRESH_THROTTLED, detail=scope)
            raise limits.too_many_attempts(row.ends_at, now)


@asynccontextmanager
async def email(kind: str, email_key: str, now: datetime, account: UUID | None = None) -> AsyncIterator[bool]:
    """Around a request for an e-mail to that address. False: the mailbox has used up its quota, and gets nothing.

    The response is the same then, so nobody can see how often others have requested one (v5.0.0-6.3.8). Addresses that
    differ in their +tag are one mailbox, except for a password reset: it goes to addresses of accounts alone, and
    nobody can use up an owner's resets by requesting one for another tag.
    `account`: the one that asks for a new address.
    Raises TooManyAttempts for a network, or an account, that asks too often, for any addresses.
    """
    here = limits.networks_of(client.current().ip)
    with limits.queue_share(here[-1]):
        bounds = limits.bounds_of(limits.EMAIL, here)
        bounds += [limits.bound(limits.EMAIL_CHANGE, str(account))] if account else []
        rows = await counters.add({each.key: each.window for each in bounds}, 1, now)
        if full := [rows[each.key] for each in bounds if rows[each.key].count > each.most]:
            raise limits.too_many_attempts(max(row.ends_at for row in full), now)
        most, window = EMAILS[kind]
        mailbox = counters.key("mailbox", kind, email_key if kind == "forgot" else without_tag(email_key))
        yield (await counters.add({mailbox: window}, 1, now))[mailbox].count <= most
