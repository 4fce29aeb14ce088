"""The ticket between password and second factor: proof of a right password some minutes ago.

It opens nothing by itself, and is void once the password is another one. Each is its own, so that one that was good can
be told from all others (see `mfa.factors`).
Chapter: "The life of an account". Source: v5.0.0-6.3.3, v5.0.0-2.3.1.
"""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from app.auth import keys, passwords
from app.web import urls

LABEL = "sign-in ticket"
SECONDS = 300


def issue(user_id: UUID, password: str, now: datetime) -> str:
    """URL-safe, below 120 characters. `password`: the stored hash that was verified."""
    nonce = secrets.token_urlsafe(16)
    stamp = keys.stamp(LABEL, _message(user_id, nonce, password), now + timedelta(seconds=SECONDS))
    return f"{user_id}.{nonce}.{stamp}"


def holder(ticket: str) -> UUID | None:
    """Whose ticket it says it is. Proves nothing: see `good`."""
    return urls.uuid_or_none(ticket.partition(".")[0])


def good(ticket: str, user_id: UUID, password: str, now: datetime) -> bool:
    """Did we hand it out for this account and this very password, at most five minutes ago?"""
    _, _, rest = ticket.partition(".")
    nonce, _, stamp = rest.partition(".")
    return keys.stamped(LABEL, _message(user_id, nonce, password), stamp, now)


def _message(user_id: UUID, nonce: str, password: str) -> str:
    return f"{user_id} {nonce} {passwords.fingerprint(password)}"
