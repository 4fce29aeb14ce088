"""The rate limit on guesses: how often a password or a code may be tried before the answer is 429.

Only failures count: a successful login costs nothing and resets nothing (v5.0.0-6.3.1). An attempt is counted before
the password is verified, behind a lock, and taken back if it was right: guesses in parallel get no more answers than
guesses in sequence (v5.0.0-2.3.2, v5.0.0-15.4.2). Refused attempts are not counted, so nobody can prolong a wait. An
account that does not exist is counted like one that does (v5.0.0-6.3.8). If the database does not answer, no password
is verified: db.Unavailable, 503.

An attacker cannot lock the owner out (v5.0.0-6.1.1). On a device that the account knows (see `known_devices`), only
failures on that device count. On all others, a network gets one slot for all its devices once it has waited long
enough.
Chapter: "Logging in".
Source: OWASP Authentication, "Account Lockout"; v5.0.0-2.4.1; RFC 6585 section 4; NIST SP 800-63B-4 section 3.2.2.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth.errors import TooManyAttempts
from app.auth.rate_limit import counters, known_devices, limits
from app.web import client

MAX_WAIT = 15 * 60  # seconds, for one account


def unknown_device_wait(account_failures: int, site_failures: int) -> int:
    """Seconds to wait for a slot on a device that the account does not know; 0 unless it, or the site, is under attack.

    Doubles with each failure beyond the account's limit up to 15 minutes; grows by 10 seconds up to a minute with each
    full measure of failures on the whole site.
    """
    beyond = account_failures - limits.limit(limits.ACCOUNT)[0]
    own = 0 if beyond < 0 else min(2 ** min(beyond, 10), MAX_WAIT)
    return max(own, min(10 * (site_failures // limits.limit(limits.SITE)[0]), 60))


@asynccontextmanager
async def login(email_key: str, device: str, now: datetime) -> AsyncIterator["Attempt"]:
    """Around one check of an account's password. Yields the Attempt, which records the outcome; raises TooManyAttempts.

    `device`: the browser's id, "" without its cookie. The same counters are read for every account, so only the holder
    of that cookie can see whether the device is known.
    """
    here = limits.networks_of(client.current().ip)
    pair, addresses = limits.bound(limits.PAIR, email_key, here[0]), limits.bounds_of(limits.ADDRESS, here)
    # All texts that are no address have the key "": users who mistype must not wait for each other.
    anywhere, site = [limits.bound(limits.UNKNOWN_DEVICES, email_key)] if email_key else [], limits.bound(limits.SITE)
    slot, known, own = (
        counters.key("slot", email_key, here[-1]),
        known_devices.key(email_key, device),
        limits.bound(limits.DEVICE, email_key, device),
    )
    await counters.prune_now_and_then(now)
    with limits.queue_share(here[-1]):
        bounds = [pair, *anywhere, *addresses]
        rows = await counters.read([site.key, slot, known, own.key, *(each.key for each in bounds)])
        at_home = bool(device) and limits.is_live(rows.get(known), now)
        attempt = Attempt([own], site=site) if at_home else Attempt(bounds, site=site, slot=slot)
        try:
            attempt.admit(rows, now)
            # Unknown devices have a share of their own: they use up none of the owner's.
            party = f"{email_key}\n{at_home}" if email_key else "no address\n" + here[-1]
            with limits.queue_share(party, quarters=1):
                yield attempt
        except _NoSlot:
            await counters.begin(slot, now + timedelta(seconds=MAX_WAIT))
            raise


@asynccontextmanager
async def step_up(sid: UUID, now: datetime) -> AsyncIterator["Attempt"]:
    """As `login`, for a session: attempts elsewhere do not count, and another IP address gives no further attempts."""
    with limits.queue_share(limits.networks_of(client.current().ip)[-1]):
        yield await _admitted(limits.bound(limits.SESSION, str(sid)), now)


@asynccontextmanager
async def code(user_id: UUID, now: datetime) -> AsyncIterator["Attempt"]:
    """Around one check of a one-time code. It takes the password to get here: others cannot use up the attempts.

    Five in a quarter of an hour, of a million codes of which three are good: one in 700 in a day (v5.0.0-6.5.5).
    """
    yield await _admitted(limits.bound(limits.CODE, str(user_id)), now)


class Attempt:
    """One attempt at a password or a code: `admit`, then `count`, and only then verify and record the outcome."""

    def __init__(self, bounds: list[limits.Bound], *, site: limits.Bound | None = None, slot: str = "") -> None:
        self.bounds, self.site, self.slot = bounds, site, slot
        self.anywhere = next((each.key for each in bounds if each.scope == limits.UNKNOWN_DEVICES), "")
        self.failures: dict[str, int] = {}  # of this moment, by key
        self.site_failures = 0

    def admit(self, rows: Mapping[str, Any], now: datetime) -> None:
        """A first look, without a lock: who has to wait does not cost a hash. `rows`: of the counters."""
        live = {key: row for key, row in rows.items() if limits.is_live(row, now)}
        if full := [live[each.key] for each in self.bounds if each.key in live and live[each.key].count >= each.most]:
            raise limits.too_many_attempts(max(row.ends_at for row in full), now)
        self.failures = {key: row.count for key, row in live.items()}
        self.site_failures = self.failures.get(self.site.key, 0) if self.site else 0
        if seconds := self._wait(0):
            if self.slot not in rows:
                raise _NoSlot(seconds)
            waiting_since = rows[self.slot].ends_at - timedelta(seconds=MAX_WAIT)
            if waiting_since + timedelta(seconds=seconds) > now:
                raise limits.too_many_attempts(waiting_since + timedelta(seconds=seconds), now)

    async def count(self, tx: Any, now: datetime) -> None:
        """Count the try, in the transaction that will answer it: from here on the others of this account wait.

        Before anything is looked at, and for a right one and a wrong one alike: beyond a limit neither is told from the
        other. Raises TooManyAttempts; the transaction is then rolled back, and nothing was counted.
        """
        rows = await counters.add({each.key: each.window for each in self.bounds}, 1, now, tx=tx)
        self.failures = {key: row.count for key, row in rows.items()}
        if full := [rows[each.key] for each in self.bounds if rows[each.key].count > each.most]:
            raise limits.too_many_attempts(max(row.ends_at for row in full), now)
        if seconds := self._wait(1):
            until = now + timedelta(seconds=MAX_WAIT)
            waited = until - timedelta(seconds=seconds)
            if not await counters.begin_again(tx, self.slot, until, at_most=waited):
                raise _NoSlot(seconds)

    async def take_back(self, tx: Any, now: datetime) -> None:
        """It was right: it does not count."""
        await counters.take_back(tx, self.failures, now)

    async def failed(self, tx: Any, now: datetime, user_id: UUID | None) -> list[str]:
        """It was wrong: it stays counted. Returns the scopes whose limit this very failure has reached."""
        reached = [each.scope for each in self.bounds if self.failures[each.key] == each.most]
        if self.failures.get(self.anywhere) == limits.limit(limits.ACCOUNT)[0]:
            reached.append(limits.ACCOUNT)
        if self.site:  # last of all: everybody waits for this row
            row = (await counters.add({self.site.key: self.site.window}, 1, now, tx=tx))[self.site.key]
            reached += [limits.SITE] if row.count == self.site.most else []
        for scope in reached:  # once a window, not once a request
            whose = None if scope in (limits.ADDRESS, limits.SITE) else user_id
            await events.record(events.LOGIN_THROTTLED, tx=tx, user_id=whose, detail=scope)
        return reached

    async def settle(self, right: bool, user_id: UUID | None = None) -> bool:
        """Record attempt and outcome in a transaction of their own. Returns `right`."""
        async with db.transaction() as tx:
            now = await tx.fetch_value(sa.select(db.now()))
            await self.count(tx, now)
            if right:
                await self.take_back(tx, now)
            else:
                await self.failed(tx, now, user_id)
        return right

    def _wait(self, this_one: int) -> int:
        """Seconds that an unknown device must have waited by now. `this_one`: 1 if this attempt is counted already."""
        if not self.slot:
            return 0
        return unknown_device_wait(self.failures.get(self.anywhere, 0) - this_one, self.site_failures)


class _NoSlot(TooManyAttempts):
    """An unknown device that has not waited yet: its wait begins."""


async def _admitted(bound: limits.Bound, now: datetime) -> Attempt:
    attempt = Attempt([bound])
    attempt.admit(await counters.read([bound.key]), now)
    return attempt
