"""How often a password may be guessed and a refresh token shown, before the answer is "429, come back later".

Only failures count: a good login costs nothing and resets nothing (v5.0.0-6.3.1). A try is counted before anybody looks
at what was typed, behind a lock, and taken back if it was right: of guesses that arrive at once no more are answered
than of those that come one by one (v5.0.0-2.3.2, v5.0.0-15.4.2). What is refused here is not counted, so nobody can
prolong a wait. An account that does not exist is counted like one that does (v5.0.0-6.3.8). If the counters do not
answer, nobody learns anything about a password: db.Unavailable, 503.

No stranger can lock the owner out (v5.0.0-6.1.1). Where the account was signed in to before, only the guesses from that
very place count. Anywhere else a network that has waited as long as the wait is now has a turn, one for all of it.
Chapter: "The first check at the desk".
Source: OWASP Authentication, "Account Lockout"; v5.0.0-2.4.1; RFC 6585 section 4; NIST SP 800-63B-4 section 3.2.2.
"""

import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from cachetools import LRUCache

from app import db
from app.audit import events
from app.auth import counters, tokens
from app.auth.errors import TooManyAttempts
from app.settings import get_settings
from app.web import client

PAIR, ACCOUNT, STRANGERS = "account and address", "account", "account from anywhere"
ADDRESS, SITE = "address", "site"
SESSION, CODE, LETTER, TOKEN, GARBAGE = "session", "code", "letters", "one token", "garbage"
LONGEST_WAIT = 15 * 60  # seconds, for one account
KNOWN_FOR = timedelta(days=60)  # how long a place is remembered where the account was signed in to
BATCH = 20  # refreshes that a worker counts by itself before it tells the database
CHAIN = 300  # refreshes in a row, each within 5 seconds of the one before

_in_hand: Counter[str] = Counter()  # place -> password checks of this worker
_shown: LRUCache[tuple[str, str], "_Tally"] = LRUCache(10_000)


def limit(scope: str) -> tuple[int, timedelta]:
    """How many in which time; the time starts with the first one."""
    settings = get_settings()
    return {
        PAIR: (10, timedelta(minutes=5)),
        SESSION: (10, timedelta(minutes=5)),
        CODE: (5, timedelta(minutes=15)),
        ACCOUNT: (20, timedelta(days=1)),
        STRANGERS: (100, timedelta(days=1)),
        ADDRESS: (settings.address_failures_per_5_minutes, timedelta(minutes=5)),
        SITE: (settings.login_failures_per_minute, timedelta(minutes=1)),
        LETTER: (settings.address_letters_per_hour, timedelta(hours=1)),
        TOKEN: (300, timedelta(minutes=1)),
        GARBAGE: (300, timedelta(minutes=1)),
    }[scope]


def wait_of_strangers(account_failures: int, site_failures: int) -> int:
    """Seconds to wait for a turn where the account was never signed in to; 0 unless it, or the site, is under attack.

    Doubles with each failure beyond the account's limit up to 15 minutes; grows by 10 seconds up to a minute with each
    full measure of failures on the whole site.
    """
    beyond = account_failures - limit(ACCOUNT)[0]
    own = 0 if beyond < 0 else min(2 ** min(beyond, 10), LONGEST_WAIT)
    return max(own, min(10 * (site_failures // limit(SITE)[0]), 60))


def networks_of(ip: str) -> list[str]:
    """What may be one party, the smallest first: an IPv4 address; of IPv6 the /64 of one line, and the /56 and the /48
    that one customer has all of."""
    try:
        address: Any = ip_address(ip.partition("%")[0])
    except ValueError:
        return [ip]
    address = getattr(address, "ipv4_mapped", None) or address
    if address.version == 4:
        return [str(address)]
    return [str(ip_network((address, bits), strict=False)) for bits in (64, 56, 48)]


@asynccontextmanager
async def login(email_key: str, now: datetime) -> AsyncIterator["Attempt"]:
    """Around one check of an account's password. Raises TooManyAttempts, or lets in an Attempt to tell the outcome."""
    here = networks_of(client.current().ip)
    pair, addresses = _bound(PAIR, email_key, here[0]), _each(ADDRESS, here)
    # Every text that is no address has the key "": strangers who mistype must not wait for each other.
    anywhere, site = [_bound(STRANGERS, email_key)] if email_key else [], _bound(SITE)
    turn, known = counters.key("turn", email_key, here[-1]), counters.key("known", email_key, here[0])
    await counters.tidy(now)
    with _a_share(here[-1]):
        bounds = [pair, *anywhere, *addresses]
        rows = await counters.read([site.key, turn, known, *(each.key for each in bounds)])
        if known in rows and rows[known].ends_at > now:
            attempt = Attempt([pair, *addresses], site=site, known=known)
        else:
            attempt = Attempt(bounds, site=site, known=known, turn=turn)
        try:
            attempt.admit(rows, now)
            yield attempt
        except _NoTurn:
            await counters.begin(turn, now + timedelta(seconds=LONGEST_WAIT))
            raise


@asynccontextmanager
async def step_up(sid: UUID, now: datetime) -> AsyncIterator["Attempt"]:
    """As `login`, for whoever is signed in: strangers cannot get in the way, and another address is no new chance."""
    with _a_share(networks_of(client.current().ip)[-1]):
        yield await _admitted(_bound(SESSION, str(sid)), now)


@asynccontextmanager
async def code(user_id: UUID, now: datetime) -> AsyncIterator["Attempt"]:
    """Around one check of a one-time code. Only who knows the password comes here: no stranger can use the tries up.

    Five in a quarter of an hour, of a million codes of which three are good: one in 700 in a day (v5.0.0-6.5.5).
    """
    yield await _admitted(_bound(CODE, str(user_id)), now)


class Bound(NamedTuple):
    """At most so many tries in a window, which starts with the first one, under one key."""

    scope: str
    key: str
    most: int
    window: timedelta


class Attempt:
    """One try at a password, or a code: admit, look at nothing yet, `count`, and only then say whether it was right."""

    def __init__(self, bounds: list[Bound], *, site: Bound | None = None, known: str = "", turn: str = "") -> None:
        self.bounds, self.site, self.known, self.turn = bounds, site, known, turn
        self.anywhere = next((each.key for each in bounds if each.scope == STRANGERS), "")
        self.failures: dict[str, int] = {}  # of this moment, by key
        self.site_failures = 0

    def admit(self, rows: Mapping[str, Any], now: datetime) -> None:
        """A first look, without a lock: who has to wait does not cost a hash. `rows`: of the counters."""
        live = {key: row for key, row in rows.items() if row.ends_at > now}
        if full := [live[each.key] for each in self.bounds if each.key in live and live[each.key].count >= each.most]:
            raise _later(max(row.ends_at for row in full), now)
        self.failures = {key: row.count for key, row in live.items()}
        self.site_failures = self.failures.get(self.site.key, 0) if self.site else 0
        if seconds := self._wait(0):
            if self.turn not in rows:
                raise _NoTurn(seconds)
            waiting_since = rows[self.turn].ends_at - timedelta(seconds=LONGEST_WAIT)
            if waiting_since + timedelta(seconds=seconds) > now:
                raise _later(waiting_since + timedelta(seconds=seconds), now)

    async def count(self, tx: Any, now: datetime) -> None:
        """Count the try, in the transaction that will answer it: from here on the others of this account wait.

        Before anything is looked at, and for a right one and a wrong one alike: beyond a limit neither is told from the
        other. Raises TooManyAttempts; the transaction is then rolled back, and nothing was counted.
        """
        rows = await counters.add({each.key: each.window for each in self.bounds}, 1, now, tx=tx)
        self.failures = {key: row.count for key, row in rows.items()}
        if full := [rows[each.key] for each in self.bounds if rows[each.key].count > each.most]:
            raise _later(max(row.ends_at for row in full), now)
        if seconds := self._wait(1):
            until = now + timedelta(seconds=LONGEST_WAIT)
            waited = until - timedelta(seconds=seconds)
            if not await counters.begin_again(tx, self.turn, until, at_most=waited):
                raise _NoTurn(seconds)

    async def take_back(self, tx: Any, now: datetime) -> None:
        """It was right: it does not count."""
        await counters.take_back(tx, self.failures, now)

    async def remember(self, tx: Any, now: datetime) -> None:
        """The place is known from now on."""
        await counters.keep(tx, self.known, now + KNOWN_FOR)

    async def failed(self, tx: Any, now: datetime, user_id: UUID | None) -> list[str]:
        """It was wrong: it stays counted. Returns the scopes whose limit this very failure has reached."""
        reached = [each.scope for each in self.bounds if self.failures[each.key] == each.most]
        if self.failures.get(self.anywhere) == limit(ACCOUNT)[0]:
            reached.append(ACCOUNT)
        if self.site:  # last of all: everybody waits for this row
            row = (await counters.add({self.site.key: self.site.window}, 1, now, tx=tx))[self.site.key]
            reached += [SITE] if row.count == self.site.most else []
        for scope in reached:  # once a window, not once a request
            whose = None if scope in (ADDRESS, SITE) else user_id
            await events.record(events.LOGIN_THROTTLED, tx=tx, user_id=whose, detail=scope)
        return reached

    async def settle(self, right: bool, user_id: UUID | None = None) -> bool:
        """`count` and the outcome in a transaction of their own, for what goes on elsewhere. Returns `right`."""
        async with db.transaction() as tx:
            now = await tx.fetch_value(sa.select(db.now()))
            await self.count(tx, now)
            if right:
                await self.take_back(tx, now)
            else:
                await self.failed(tx, now, user_id)
        return right

    def _wait(self, this_one: int) -> int:
        """Seconds that a stranger has to have waited at this moment. `this_one`: whether it is counted already."""
        if not self.turn:
            return 0
        return wait_of_strangers(self.failures.get(self.anywhere, 0) - this_one, self.site_failures)


class _NoTurn(TooManyAttempts):
    """A stranger who has not waited yet: begins to."""


async def token_shown(raw: str, now: datetime) -> None:
    """Count a refresh token that was presented, good or bad, before anything is done about it."""
    await _tally(TOKEN, sha256(raw[: tokens.LONGEST].encode("utf-8", "surrogatepass")).hexdigest(), now)


async def garbage_shown(now: datetime) -> None:
    """Count something that is no refresh token of ours. Good ones of the same address never come through here."""
    await _tally(GARBAGE, networks_of(client.current().ip)[-1], now)


@dataclass(slots=True)
class _Tally:
    untold: int = 0
    full_until: datetime | None = None


async def _tally(scope: str, what: str, now: datetime) -> None:
    """Count in this worker, and every 20th time in the database: a flood must cost less than what it asks for."""
    seen = _shown.setdefault((scope, what), _Tally())
    if seen.full_until and now < seen.full_until:
        raise _later(seen.full_until, now)
    seen.untold += 1
    if seen.untold < BATCH:
        return
    seen.untold = 0
    key, (most, window) = counters.key(scope, what), limit(scope)
    row = (await counters.add({key: window}, BATCH, now))[key]
    if row.count > most:
        seen.full_until = row.ends_at
        if row.count - BATCH <= most:
            await events.record(events.REFRESH_THROTTLED, detail=scope)
        raise _later(row.ends_at, now)


@contextmanager
def _a_share(place: str) -> Iterator[None]:
    """A quarter of the queue before the hasher is kept for other places than the busiest (v5.0.0-15.4.4)."""
    if _in_hand[place] >= max(1, get_settings().password_checks_waiting * 3 // 4):
        raise TooManyAttempts(1)
    _in_hand[place] += 1
    try:
        yield
    finally:
        _in_hand[place] -= 1
        if not _in_hand[place]:
            del _in_hand[place]


def _bound(scope: str, *what: str, times: int = 1) -> Bound:
    most, window = limit(scope)
    return Bound(scope, counters.key(scope, *what), most * times, window)


def _each(scope: str, networks: list[str]) -> list[Bound]:
    """Of each network that an address is in; the larger one has room for twice as many."""
    return [_bound(scope, network, times=2**number) for number, network in enumerate(networks)]


async def _admitted(bound: Bound, now: datetime) -> Attempt:
    attempt = Attempt([bound])
    attempt.admit(await counters.read([bound.key]), now)
    return attempt


def _later(moment: datetime, now: datetime) -> TooManyAttempts:
    return TooManyAttempts(max(1, math.ceil((moment - now).total_seconds())))


# Letters to any address that somebody names: kind -> how many one mailbox gets, in which time.
LETTERS = {
    "register": (3, timedelta(hours=6)),
    "resend": (3, timedelta(hours=6)),
    "forgot": (5, timedelta(days=1)),
    "change_email": (3, timedelta(hours=6)),
}


@asynccontextmanager
async def letter(kind: str, email_key: str, now: datetime) -> AsyncIterator[bool]:
    """Around a request for a letter to that address. False: the mailbox has had its share, and gets nothing.

    Whoever asks is not told; the answer is the same, so nobody can see how much others have asked for (v5.0.0-6.3.8).
    Raises TooManyAttempts for a place that asks too often, for whichever addresses.
    """
    here = networks_of(client.current().ip)
    with _a_share(here[-1]):
        asked = _each(LETTER, here)
        rows = await counters.add({each.key: each.window for each in asked}, 1, now)
        if full := [rows[each.key] for each in asked if rows[each.key].count > each.most]:
            raise _later(max(row.ends_at for row in full), now)
        most, window = LETTERS[kind]
        mailbox = counters.key("mailbox", kind, email_key)
        yield (await counters.add({mailbox: window}, 1, now))[mailbox].count <= most
