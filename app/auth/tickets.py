"""The ticket between the two halves of a sign-in: whoever brings it back has given the right password minutes ago.

It opens nothing by itself, stands in no table, and is void once the password is another one.
Chapter: "The life of an account". Source: v5.0.0-6.3.3, v5.0.0-2.3.1.
"""

from datetime import datetime, timedelta
from uuid import UUID

from app.auth import keys, passwords
from app.web import urls

LABEL = "sign-in ticket"
SECONDS = 300


def issue(user_id: UUID, password: str, now: datetime) -> str:
    """URL-safe, below 100 characters. `password`: the stored hash that was verified."""
    return f"{user_id}.{keys.stamp(LABEL, _message(user_id, password), now + timedelta(seconds=SECONDS))}"


def holder(ticket: str) -> UUID | None:
    """Whose ticket it says it is. Proves nothing: see `good`."""
    return urls.uuid_or_none(ticket.partition(".")[0])


def good(ticket: str, user_id: UUID, password: str, now: datetime) -> bool:
    """Did we hand it out for this account and this very password, at most five minutes ago?"""
    return keys.stamped(LABEL, _message(user_id, password), ticket.partition(".")[2], now)


def _message(user_id: UUID, password: str) -> str:
    return f"{user_id} {passwords.fingerprint(password)}"
