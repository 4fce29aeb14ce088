"""The two demo accounts: made in development, refused in production."""

from typing import NamedTuple

import sqlalchemy as sa

from app import db
from app.auth import passwords
from app.auth.accounts import user_creation
from app.auth.models import User, user_rows


class Demo(NamedTuple):
    email: str
    password: str
    name: str
    role: str


ACCOUNTS = (
    Demo("admin@example.com", "admin demo passphrase", "Ada Demo", "admin"),
    Demo("user@example.com", "user demo passphrase", "Uli Demo", "user"),
)


async def ensure() -> None:
    """Create the demo accounts that are missing. One query if none is."""
    present = {user.email_key for user in await _rows()}
    for demo in ACCOUNTS:
        if demo.email not in present:
            await user_creation.create(demo.email, demo.name, demo.password, demo.role)


async def still_open() -> str | None:
    """The address of a demo account whose published password still works, or None. Production refuses to start then."""
    known = {demo.email: demo.password for demo in ACCOUNTS}
    for user in await _rows():
        if user.is_active and (await passwords.verify(known[user.email_key], user.password)).ok:
            return str(user.email)
    return None


async def _rows() -> list[User]:
    return await db.fetch_all(sa.select(user_rows).where(user_rows.c.email_key.in_([demo.email for demo in ACCOUNTS])))
