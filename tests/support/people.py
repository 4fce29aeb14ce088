"""People for tests: made straight in the database, signed in without the form. Only the login tests fill the form."""

from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth import cookies, tokens
from app.auth.accounts import user_creation
from app.auth.models import session_rows, user_rows
from app.auth.sessions import rotation
from app.auth.tokens import TokenPair
from tests.support import secrets

PASSWORD = "correct horse battery staple"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Person:
    id: UUID
    email: str
    name: str
    role: str
    password: str


async def make_user(
    *, email: str = "", name: str = "Robin Example", password: str = PASSWORD, role: str = "user", active: bool = True
) -> Person:
    """A new account; each has an address of its own unless told."""
    email = email or f"person{next(_numbers)}@example.com"
    secrets.keep(email, password)
    user_id = await user_creation.create(email, name, password, role)
    assert user_id, f"{email} is taken"
    if not active:
        await db.execute(sa.update(user_rows).where(user_rows.c.id == user_id).values(is_active=False))
    return Person(user_id, email, name, role, password)


async def start_session(person: Person, *, program: bool = False) -> TokenPair:
    """What a login hands out, without the login. `program`: in the body of the API."""
    async with db.transaction() as tx:
        pair = await rotation.start(tx, SimpleNamespace(id=person.id, role=person.role), now=db.utcnow())
        token = tokens.read(pair.access_token, "access", db.utcnow())
        if program and token:
            await tx.execute(sa.update(session_rows).where(session_rows.c.id == token.sid).values(program=True))
    secrets.keep(pair.access_token, pair.refresh_token)
    return pair


async def sign_in(client: Any, person: Person) -> TokenPair:
    """Give the client both cookies of a new session."""
    pair = await start_session(person)
    client.put_cookie(cookies.access_name(), pair.access_token)
    client.put_cookie(cookies.refresh_name(), pair.refresh_token)
    return pair
