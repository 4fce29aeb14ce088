"""Create a user: its row and its search index. The rules about who may are those of `signup` and `user_admin`."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth import passwords
from app.auth.accounts import user_search
from app.auth.models import user_rows
from app.web.email_address import email_key


async def create(email: str, name: str, password: str, role: str = "user") -> UUID | None:
    """A new account; None if the address is taken. Validate the password first (`passwords.validation_error`)."""
    encoded = await passwords.hash(password)
    try:
        async with db.transaction() as tx:
            return await add(tx, email, name, encoded, role)
    except sa.exc.IntegrityError:
        return None


async def add(tx: Any, email: str, name: str, encoded: str, role: str = "user") -> UUID:
    """A new account with a password hash. Errors: IntegrityError if the address is taken; ValueError without one."""
    key, user_id = email_key(email), db.uuid7()
    if not key:  # an empty key would match every text that is not an address
        raise ValueError("an account needs an address")
    values = {
        "id": user_id,
        "email": email.strip(),
        "email_key": key,
        "name": name,
        "search_text": user_search.search_text(name, key),
        "password": encoded,
        "role": role,
        "is_active": True,
        "created_at": db.utcnow(),
    }
    await tx.execute(sa.insert(user_rows).values(values))
    await user_search.index(tx, user_id, name, key)
    return user_id
