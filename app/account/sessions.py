"""The list of sessions (/account/sessions): every signed-in device, its session history, and signing it out.

Chapter: "The life of an account". Source: v5.0.0-7.5.2, v5.0.0-7.4.3.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from ravyn import Request, get, post

from app import db
from app.audit import events, queries, session_history
from app.auth import permissions, redirects
from app.auth.accounts import logout_flow
from app.auth.models import session_rows
from app.auth.redirects import see_other
from app.auth.sessions import lifetime
from app.web import client, forms, templates, urls
from app.web.errors import Problem

MOST = 100  # devices on the page, the ones used last
ENDED_FOR = timedelta(days=30)


@get()
async def index(request: Request) -> Any:
    user_id, now = request.user.id, db.utcnow()
    live = await _rows(lifetime.is_live(now, of=user_id))
    lately = sa.func.coalesce(session_rows.c.revoked_at, session_rows.c.last_seen_at) > now - ENDED_FOR
    ended = [_shown(row) for row in await _rows(session_rows.c.user_id == user_id, ~lifetime.is_live(now), lately)]
    devices = [_shown(row, request.user.sid) for row in live]
    devices.sort(key=lambda device: not device["current"])  # this one first
    ended.sort(key=lambda device: device["end"], reverse=True)
    return templates.page(request, "account/sessions.html", devices=devices, ended=ended, most=MOST)


@get()
async def show(request: Request) -> Any:
    """One device with the history of its session as a picture."""
    row = await own_session(request)
    happened = session_history.of_session(row, await queries.of_session(row.user_id, row.id))
    live = lifetime.end_of(row) > db.utcnow()
    return templates.page(
        request, "account/session.html", device=_shown(row, request.user.sid), live=live,
        picture=session_history.picture(happened, alive=live),
    )  # fmt: skip


@get()
async def confirm_revoke(request: Request) -> Any:
    row = await own_session(request)
    if row.revoked_at is not None:
        return see_other("/account/sessions")
    return templates.page(request, "account/revoke.html", device=_shown(row, request.user.sid))


@post(status_code=303)
async def revoke(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    row = await own_session(request)
    if row.id == request.user.sid:
        await logout_flow.logout([request.user.token])
        return redirects.signed_out("signed_out")
    await logout_flow.end_own_session(request.user.id, row.id)
    return see_other("/account/sessions", notice="device_signed_out")


@get()
async def confirm_revoke_others(request: Request) -> Any:
    live = await _rows(lifetime.is_live(db.utcnow(), of=request.user.id))
    others = [row for row in live if row.id != request.user.sid]
    return templates.page(request, "account/revoke_others.html", devices=[_shown(row) for row in others])


@post(status_code=303)
async def revoke_others(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    await logout_flow.end_other_sessions(request.user.id, request.user.sid)
    return see_other("/account/sessions", notice="others_signed_out")


async def _rows(*which: Any) -> list[Any]:
    """The matching sessions, the last used first; at most MOST."""
    own = sa.select(session_rows).where(*which)
    return await db.fetch_all(own.order_by(session_rows.c.last_seen_at.desc(), session_rows.c.id.desc()).limit(MOST))


async def own_session(request: Request) -> Any:
    """The session in the path; 404 if it does not exist or belongs to another user."""
    sid = urls.uuid_or_none(request.path_params["sid"])
    own = sa.select(session_rows).where(session_rows.c.id == sid, session_rows.c.user_id == request.user.id)
    row = await db.fetch_one(own) if sid else None
    if row is None:
        raise Problem(404)
    return row


def _shown(row: Any, current: UUID | None = None) -> dict[str, Any]:
    return {
        "id": row.id,
        "device": client.device(row.user_agent),
        "ip": row.ip or "unknown",
        "started": row.created_at,
        "last_seen": row.last_seen_at,
        "end": lifetime.end_of(row),
        "current": row.id == current,
        "because": events.reason_text(row.revoked_for),
        "bound": bool(row.device_key),
    }


route_patterns = [
    permissions.private("/account/sessions", index),
    permissions.private("/account/sessions/revoke-others", confirm_revoke_others, permissions.RecentLogin),
    permissions.private("/account/sessions/revoke-others", revoke_others, permissions.RecentLogin),
    permissions.private("/account/sessions/{sid}", show),
    permissions.private("/account/sessions/{sid}/revoke", confirm_revoke, permissions.RecentLogin),
    permissions.private("/account/sessions/{sid}/revoke", revoke, permissions.RecentLogin),
]
