"""Queries of the e-mail queue for the admin area: e-mails that could not be delivered."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth.models import user_rows
from app.email.models import email_rows
from app.web.paging import PAGE, Page


async def failed(limit: int = PAGE) -> Page:
    """E-mails that could not be delivered, newest first, with the address that they were for. One query."""
    table = email_rows
    failed = _emails().where(table.c.failed_at.is_not(None)).order_by(table.c.failed_at.desc(), table.c.id.desc())
    return Page.of(await db.fetch_all(failed.limit(limit + 1)), limit)


async def get(email_id: UUID) -> Any:
    """One e-mail that could not be delivered, or None."""
    return await db.fetch_one(_emails().where(email_rows.c.id == email_id, email_rows.c.failed_at.is_not(None)))


def _emails() -> Any:
    table = email_rows
    columns = [table.c[name] for name in ("id", "kind", "user_id", "created_at", "failed_at", "attempts", "error")]
    to = sa.func.coalesce(sa.func.nullif(table.c.recipient, ""), user_rows.c.email, "").label("recipient")
    return sa.select(*columns, to).select_from(table.outerjoin(user_rows, user_rows.c.id == table.c.user_id))
