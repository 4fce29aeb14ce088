"""What is stored about an account: its row, sessions, events and queued e-mails."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth import email_links
from app.auth.models import invalidation_rows, session_rows, user_rows
from app.auth.tokens import TokenPair
from app.email.models import email_rows
from tests.support import forge
from tests.support.people import Person


def sid_of(pair: TokenPair) -> UUID:
    return UUID(forge.claims(pair.access_token)["sid"])


async def row_of(person: Person) -> Any:
    return await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == person.id))


async def ends(person: Person) -> list[str | None]:
    """Why each session of the person ended, oldest first; None for one that goes on."""
    mine = sa.select(session_rows).where(session_rows.c.user_id == person.id).order_by(session_rows.c.id)
    return [row.revoked_for for row in await db.fetch_all(mine)]


async def happened(person: Person) -> list[str]:
    """The events about the person, oldest first."""
    mine = sa.select(event_rows.c.event).where(event_rows.c.user_id == person.id).order_by(event_rows.c.id)
    return [row.event for row in await db.fetch_all(mine)]


async def live(person: Person) -> int:
    """How many sessions of the person have not ended."""
    table = session_rows
    mine = table.c.user_id == person.id, table.c.revoked_at.is_(None)
    return int(await db.fetch_value(sa.select(sa.func.count()).where(*mine)))


async def announced(person: Person) -> bool:
    return await db.fetch_one(sa.select(invalidation_rows).where(invalidation_rows.c.user_id == person.id)) is not None


async def queued() -> list[str]:
    return [row.kind for row in await db.fetch_all(sa.select(email_rows).order_by(email_rows.c.id))]


async def open_link(purpose: str, person: Person, **values: Any) -> str:
    async with db.transaction() as tx:
        return email_links.token(await email_links.make(tx, purpose, db.utcnow(), user_id=person.id, **values))
