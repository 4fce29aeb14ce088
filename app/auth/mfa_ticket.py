"""The ticket between password and second factor: proves that the password was correct some minutes ago.

It grants no access by itself, and a password change voids it. A nonce makes each ticket unique, so a used one can be
recognised (see `mfa.second_factor`).
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
    stamp = keys.expiring_mac(LABEL, _message(user_id, nonce, password), now + timedelta(seconds=SECONDS))
    return f"{user_id}.{nonce}.{stamp}"


def user_id_of(ticket: str) -> UUID | None:
    """The user id in the ticket, unverified: see `is_valid`."""
    return urls.uuid_or_none(ticket.partition(".")[0])


def is_valid(ticket: str, user_id: UUID, password: str, now: datetime) -> bool:
    """Whether we issued it for this account and this password hash within the last five minutes."""
    _, _, rest = ticket.partition(".")
    nonce, _, stamp = rest.partition(".")
    return keys.verify_expiring_mac(LABEL, _message(user_id, nonce, password), stamp, now)


def _message(user_id: UUID, nonce: str, password: str) -> str:
    return f"{user_id} {nonce} {passwords.fingerprint(password)}"
