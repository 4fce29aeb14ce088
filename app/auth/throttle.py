"""How often a password may be guessed and a refresh token shown, before the answer is "429, come back later".

Only failures count: a good login costs nothing and resets nothing (v5.0.0-6.3.1). What is refused here is not counted,
so nobody can prolong a wait. An account that does not exist is counted like one that does (v5.0.0-6.3.8). If the
counters do not answer, nobody learns anything about a password: db.Unavailable, 503.

No stranger can lock the owner out (v5.0.0-6.1.1). Where the account was signed in to before, only the guesses from that
very place count. Anywhere else a wait is a promise: who comes back after it has a turn, whatever others did meanwhile.
Chapter: "The first check at the desk".
Source: OWASP Authentication, "Account Lockout"; v5.0.0-2.4.1; RFC 6585 section 4.
"""

import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from cachetools import LRUCache

from app.audit import events
from app.auth import counters, tokens
from app.auth.errors import TooManyAttempts
from app.settings import get_settings
from app.web import client

PAIR, ACCOUNT, ADDRESS, SITE = "account and address", "account", "address", "site"
SESSION, CODE, TOKEN, GARBAGE = "session", "code", "one token", "garbage"
LONGEST_WAIT = 15 * 60  # seconds, for one account
KNOWN_FOR = timedelta(days=60)  # how long a place is remembered where the account was signed in to
BATCH = 20  # refreshes that a worker counts by itself before it tells the database
CHAIN = 300  # refreshes in a row, each within 5 seconds of the one before
StillOpen = tuple[Any, dict[str, Any]]  # a condition for a WHERE, and its parameters

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
        ADDRESS: (settings.address_failures_per_5_minutes, timedelta(minutes=5)),
        SITE: (settings.login_failures_per_minute, timedelta(minutes=1)),
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


def place_of(ip: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that a single IPv6 customer has all of."""
    try:
        address: Any = ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    address = getattr(address, "ipv4_mapped", None) or address
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


@asynccontextmanager
async def login(email_key: str, now: datetime) -> AsyncIterator["Attempt"]:
    """Around one check of an account's password. Raises TooManyAttempts, or lets in an Attempt to tell the outcome."""
    place = place_of(client.current().ip)
    counted = {
        PAIR: counters.key(PAIR, email_key, place),
        # Every text that is no address has the key "": strangers who mistype must not wait for each other.
        **({ACCOUNT: counters.key(ACCOUNT, email_key)} if email_key else {}),
        ADDRESS: counters.key(ADDRESS, place),
        SITE: counters.key(SITE),
    }
    turn, known = counters.key("turn", email_key, place), counters.key("known", email_key, place)
    with _a_share(place):
        attempt = Attempt(counted, set(counted) - {SITE}, turn, known)
        await attempt.admit(now)
        yield attempt


@asynccontextmanager
async def step_up(sid: UUID, now: datetime) -> AsyncIterator["Attempt"]:
    """As `login`, for whoever is signed in: strangers cannot get in the way, and another address is no new chance."""
    with _a_share(place_of(client.current().ip)):
        attempt = Attempt({SESSION: counters.key(SESSION, str(sid))}, {SESSION})
        await attempt.admit(now)
        yield attempt


@asynccontextmanager
async def code(user_id: UUID, now: datetime) -> AsyncIterator["Attempt"]:
    """Around one check of a one-time code. Only who knows the password comes here: no stranger can use the tries up.

    Five in a quarter of an hour, of a million codes of which three are good: one in 700 in a day (v5.0.0-6.5.5).
    """
    attempt = Attempt({CODE: counters.key(CODE, str(user_id))}, {CODE})
    await attempt.admit(now)
    yield attempt


class Attempt:
    """One try at a password, or a code. `counted`: scope -> key of its counter. `bound`: what scopes may refuse it."""

    def __init__(self, counted: Mapping[str, str], bound: set[str], turn: str = "", known: str = "") -> None:
        self.counted, self.bound, self.turn, self.known = counted, bound, turn, known
        self.known_until: datetime | None = None

    async def admit(self, now: datetime) -> None:
        """One query; for a stranger at an account under attack one statement more."""
        rows = await counters.live([*self.counted.values(), self.turn, self.known], now)
        failures = {scope: rows[key].count if key in rows else 0 for scope, key in self.counted.items()}
        full = [scope for scope in self.bound - {ACCOUNT} if failures[scope] >= limit(scope)[0]]
        if full:
            raise _later(max(rows[self.counted[scope]].ends_at for scope in full), now)
        if self.known in rows:
            self.known_until = rows[self.known].ends_at
            self.bound.discard(ACCOUNT)
        elif seconds := wait_of_strangers(failures.get(ACCOUNT, 0), failures.get(SITE, 0)):
            if self.turn in rows:
                raise _later(rows[self.turn].ends_at, now)
            await self._take_turn(seconds, now)
            self.bound.discard(ACCOUNT)

    def open(self, now: datetime) -> StillOpen:
        """For the WHERE of the statement that lets in: no limit was reached while the password was looked at.

        Without it, a hundred guesses sent at once would all be answered.
        """
        return counters.all_below({self.counted[scope]: limit(scope)[0] for scope in sorted(self.bound)}, now)

    async def succeeded(self, tx: Any, now: datetime) -> None:
        """Remember the place, in the caller's transaction: a statement once a month."""
        if self.known and (self.known_until is None or self.known_until < now + KNOWN_FOR / 2):
            await counters.keep(tx, self.known, now + KNOWN_FOR)

    async def failed(self, now: datetime, user_id: UUID | None) -> set[str]:
        """Count it, before anything else is written: a right guess sent along must find it counted.

        Returns the scopes whose limit this very failure has reached. Raises TooManyAttempts for one beyond a limit,
        sent at once with others: it gets no answer.
        """
        rows = await counters.add({key: limit(scope)[1] for scope, key in self.counted.items()}, 1, now)
        over, reached = {}, set()
        for scope, key in self.counted.items():
            count, most = rows[key].count, limit(scope)[0]
            if count == most:  # once a window, not once a request
                whose = None if scope in (ADDRESS, SITE) else user_id
                await events.record(events.LOGIN_THROTTLED, user_id=whose, detail=scope)
                reached.add(scope)
            if count > most and scope in self.bound:
                over[scope] = rows[key]
        if account := over.pop(ACCOUNT, None):
            await self._take_turn(wait_of_strangers(account.count, 0), now)
        if over:
            raise _later(max(row.ends_at for row in over.values()), now)
        return reached

    async def _take_turn(self, seconds: int, now: datetime) -> None:
        if not await counters.take_turn(self.turn, seconds, now):
            raise TooManyAttempts(seconds)


async def token_shown(raw: str, now: datetime) -> None:
    """Count a refresh token that was presented, good or bad, before anything is done about it."""
    await _tally(TOKEN, sha256(raw[: tokens.LONGEST].encode("utf-8", "surrogatepass")).hexdigest(), now)


async def garbage_shown(now: datetime) -> None:
    """Count something that is no refresh token of ours. Good ones of the same address never come through here."""
    await _tally(GARBAGE, place_of(client.current().ip), now)


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
    place = place_of(client.current().ip)
    with _a_share(place):
        asked = counters.key("letters", place)
        row = (await counters.add({asked: timedelta(hours=1)}, 1, now))[asked]
        if row.count > get_settings().address_letters_per_hour:
            raise _later(row.ends_at, now)
        most, window = LETTERS[kind]
        mailbox = counters.key("mailbox", kind, email_key)
        yield (await counters.add({mailbox: window}, 1, now))[mailbox].count <= most
