"""The front page, and the dashboard: the signed-in user, the current session, recent activity."""

from typing import Any

import sqlalchemy as sa
from ravyn import Request, get

from app import db
from app.audit import activity, events, queries
from app.auth import permissions
from app.auth.models import session_rows
from app.auth.sessions import reuse_review
from app.web import client, templates

_SESSION = sa.select(session_rows).where(session_rows.c.id == sa.bindparam("sid"))
SHOWN = 10  # things that happened, on the dashboard


@get()
async def index(request: Request) -> Any:
    return templates.page(request, "home/index.html")


@get()
async def dashboard(request: Request) -> Any:
    row = await db.fetch_one(_SESSION, {"sid": request.user.sid})
    session = {
        "started": row.created_at,
        "last_seen": row.last_seen_at,
        "ends_at": row.ends_at,
        "authenticated_at": row.authenticated_at,
        "device": client.device(row.user_agent),
        "ip": row.ip,
    }
    rows = await queries.of_user(request.user.id, activity.READ)
    review = await reuse_review.open_review(request.user.id, db.utcnow())
    stolen, denied = review or (None, False)
    where = await reuse_review.reuse_event(request.user.id, stolen.id) if stolen else None
    return templates.page(
        request, "home/dashboard.html", session=session, activity=activity.grouped(rows, SHOWN), stolen=stolen,
        denied=denied, where=events.described(where) if where else None,
        device=client.device(stolen.user_agent) if stolen else "",
    )  # fmt: skip


route_patterns = [
    permissions.public("/", index),
    permissions.private("/dashboard", dashboard),
]
