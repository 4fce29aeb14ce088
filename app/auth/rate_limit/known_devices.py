"""Known devices: browsers where somebody completed a login to the account in the last 60 days.

A browser is known by a signed cookie of its own (see `cookies`), never by its address: at an address that many share
nobody can tell accounts that exist from those that do not. The cookie holds random bits and is the same for every
account; which accounts know it stands in the counters, under a MAC. A program without cookies is unknown.
Chapter: "Logging in". Source: OWASP Authentication, "Device cookies"; v5.0.0-6.1.1, v5.0.0-6.3.8.
"""

from datetime import datetime, timedelta
from typing import Any

from app.auth.rate_limit import counters, limits

KNOWN_FOR = timedelta(days=60)  # after a sign-in there
KNOWN_BY_LINK = timedelta(minutes=30)  # and where a mailed link chose its password
NOTIFICATIONS = (3, timedelta(days=1))  # e-mails about a right password on a new device


async def remember(tx: Any, email_key: str, device: str, now: datetime, lasts: timedelta = KNOWN_FOR) -> None:
    """From now on the account knows the device, in the caller's transaction. A program without one stays unknown."""
    if device:
        await counters.keep(tx, key(email_key, device), now + lasts)


async def is_known(tx: Any, email_key: str, device: str, now: datetime) -> bool:
    """Whether the account knows the device. No account knows a program, which has the device ""."""
    known = key(email_key, device)
    return bool(device) and limits.is_live((await counters.read([known], tx=tx)).get(known), now)


async def rename(tx: Any, old_key: str, new_key: str, device: str, now: datetime) -> None:
    """The account changed its address on this device: it stays known if it was. All others are new once."""
    if await is_known(tx, old_key, device, now):
        await remember(tx, new_key, device, now)


async def password_accepted(tx: Any, email_key: str, device: str, now: datetime) -> bool:
    """Count a right password before the code, in the caller's transaction; a complete sign-in takes it back.

    Each known device has its own count, all others share one: an attacker with the password does not use up the owner's
    tries. Returns whether the owner should be notified. Raises TooManyAttempts.
    """
    known = await is_known(tx, email_key, device, now)
    bound = limits.bound(limits.PASSWORD_ONLY, email_key, device if known else "")
    row = (await counters.add({bound.key: bound.window}, 1, now, tx=tx))[bound.key]
    if row.count > bound.most:
        raise limits.too_many_attempts(row.ends_at, now)
    if known:
        return False
    notified, (most, window) = counters.key("notified of password", email_key), NOTIFICATIONS
    return bool((await counters.add({notified: window}, 1, now, tx=tx))[notified].count <= most)


async def login_completed(tx: Any, email_key: str, device: str, now: datetime) -> None:
    """The code was right as well."""
    known = await is_known(tx, email_key, device, now)
    await counters.take_back(tx, [limits.bound(limits.PASSWORD_ONLY, email_key, device if known else "").key], now)


def key(email_key: str, device: str) -> str:
    """Of the counter that is there while the account knows the device."""
    return counters.key("known", email_key, device)
