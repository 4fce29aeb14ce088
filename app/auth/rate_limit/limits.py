"""The figures of every rate limit, what counts as one network, and shares of the password hasher's queue.

Chapter: "Logging in". Source: v5.0.0-2.4.1, v5.0.0-15.4.4.
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from app.auth.errors import TooManyAttempts
from app.auth.rate_limit import counters
from app.settings import get_settings

PAIR, DEVICE, ACCOUNT, UNKNOWN_DEVICES = "account and address", "known device", "account", "account from anywhere"
ADDRESS, SITE, PASSWORD_ONLY = "address", "site", "right password without a code"
SESSION, CODE, TOKEN, INVALID_TOKEN = "session", "code", "one token", "invalid token"
EMAIL, EMAIL_CHANGE = "emails", "new addresses of an account"

_in_progress: Counter[str] = Counter()  # what has a share -> password checks of this worker


class Bound(NamedTuple):
    """At most so many tries in a window, which starts with the first one, under one key."""

    scope: str
    key: str
    most: int
    window: timedelta


def limit(scope: str) -> tuple[int, timedelta]:
    """How many in which time; the time starts with the first one."""
    settings = get_settings()
    return {
        PAIR: (10, timedelta(minutes=5)),
        DEVICE: (10, timedelta(minutes=5)),
        SESSION: (10, timedelta(minutes=5)),
        CODE: (5, timedelta(minutes=15)),
        PASSWORD_ONLY: (10, timedelta(hours=1)),
        ACCOUNT: (20, timedelta(days=1)),
        UNKNOWN_DEVICES: (100, timedelta(days=1)),
        ADDRESS: (settings.address_failures_per_5_minutes, timedelta(minutes=5)),
        SITE: (settings.login_failures_per_minute, timedelta(minutes=1)),
        EMAIL: (settings.address_emails_per_hour, timedelta(hours=1)),
        EMAIL_CHANGE: (10, timedelta(days=1)),
        TOKEN: (300, timedelta(minutes=1)),
        INVALID_TOKEN: (300, timedelta(minutes=1)),
    }[scope]


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


def bound(scope: str, *what: str, times: int = 1) -> Bound:
    most, window = limit(scope)
    return Bound(scope, counters.key(scope, *what), most * times, window)


def bounds_of(scope: str, networks: list[str]) -> list[Bound]:
    """Of each network that an address is in; the larger one has room for twice as many."""
    return [bound(scope, network, times=2**number) for number, network in enumerate(networks)]


@contextmanager
def queue_share(whose: str, quarters: int = 3) -> Iterator[None]:
    """No more than so much of the queue before the hasher is one party's, whatever it types (v5.0.0-15.4.4).

    Three quarters for a network, so that others have room beside the busiest; one for an account, whose sign-ins also
    wait for each other in the database. Raises TooManyAttempts.
    """
    if _in_progress[whose] >= max(1, get_settings().password_checks_waiting * quarters // 4):
        raise TooManyAttempts(1)
    _in_progress[whose] += 1
    try:
        yield
    finally:
        _in_progress[whose] -= 1
        if not _in_progress[whose]:
            del _in_progress[whose]


def is_live(row: Any, now: datetime) -> bool:
    return row is not None and row.ends_at > now


def too_many_attempts(timestamp: datetime, now: datetime) -> TooManyAttempts:
    return TooManyAttempts(max(1, math.ceil((timestamp - now).total_seconds())))
