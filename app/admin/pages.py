"""The admin area's pages: overview, users, one user, the audit log.

Nothing here changes anything; what does is in `actions`. Chapter: "The admin area".
"""

from typing import Any
from uuid import UUID

from ravyn import Request, get

from app import db
from app.admin import audit_log, charts, overview, users
from app.admin.audit_log import AuditFilters
from app.admin.users import PeopleFilters
from app.audit import events, queries, session_history
from app.auth import permissions, roles
from app.auth.accounts import user_admin
from app.auth.permissions import requires
from app.auth.roles import ROLES
from app.auth.sessions import lifetime
from app.auth.streams.events import private_events
from app.web import client, notices, templates, urls
from app.web.errors import Problem
from app.web.filters import active, read
from app.web.paging import Place, links

SORTS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "name": "Name",
    "name_desc": "Name, Z to A",
    "email": "E-mail",
    "email_desc": "E-mail, Z to A",
    "last_login": "Last sign-in",
    "last_login_asc": "Last sign-in, longest ago",
}
STATES = {"active": "Active", "deactivated": "Deactivated"}
VERIFIED = {"yes": "Confirmed", "no": "Not confirmed (invited)"}


@get()
async def index(request: Request) -> Any:
    now = db.utcnow()
    days = await overview.per_day(now)
    drawn = [
        charts.bars("Sign-ins per day", "plain", days[events.LOGIN]),
        charts.bars("Wrong passwords per day", "alarm", days[events.LOGIN_FAILED]),
    ]
    numbers = overview.texts(await overview.numbers(now))
    return templates.page(request, "admin/overview.html", numbers=numbers, charts=drawn)


@get()
async def people(request: Request) -> Any:
    filters, place = read(request.query_params, PeopleFilters), read(request.query_params, Place).data
    page = await users.listing(filters.data, place.limit, before=place.before, counted=True)
    return templates.page(
        request, "admin/users.html", users=page.items, filters=active(filters.data),
        listed=links(page, place, moved=bool(place.before or filters.data.cursor)), sort=filters.data.sort,
        roles=role_words(), states=STATES, verified=VERIFIED, sorts=SORTS, invited=user_admin.invited,
        acts_on=acts_on,
    )  # fmt: skip


@get()
async def pending(request: Request) -> Any:
    return templates.page(request, "admin/pending.html", waiting=await users.pending())


@get()
async def person(request: Request) -> Any:
    """`undo`: the one thing done to them just now, as the notice says, that a button can take back."""
    found = await known(request)
    recent = await audit_log.listing(AuditFilters(person=str(found.id)), limit=10)
    devices = await users.sessions_of(found.id)
    writes = acts_on(request.user, found)
    return templates.page(
        request, "admin/user.html", person=found, me=request.user.id, invited=user_admin.invited(found), writes=writes,
        sessions=[(row, client.device(row.user_agent)) for row in devices], trail=_described(recent.items),
        undo=_undo(notices.code_of(request.scope), found, recent.items) if writes else None,
    )  # fmt: skip


@get()
async def session(request: Request) -> Any:
    """One session of somebody, live or ended, with its life as a picture."""
    found, row = await known_session(request)
    happened = session_history.of_session(row, await queries.of_session(found.id, row.id))
    end = lifetime.end_of(row)
    live = end > db.utcnow()
    return templates.page(
        request, "admin/session.html", person=found, session=row, end=end, live=live,
        device=client.device(row.user_agent), because=events.reason_text(row.revoked_for),
        writes=acts_on(request.user, found),
        picture=session_history.picture(happened, alive=live),
    )  # fmt: skip


@get()
async def audit_page(request: Request) -> Any:
    filters, place = read(request.query_params, AuditFilters), read(request.query_params, Place).data
    page = await audit_log.listing(filters.data, place.limit, before=place.before, counted=True)
    return templates.page(
        request, "admin/audit_log.html", 422 if filters.errors else 200, words=events.EVENT_TEXT,
        events=_described(page.items), listed=links(page, place, moved=bool(place.before or filters.data.cursor)),
        filters=active(filters.data), form=filters.values, errors=filters.errors,
        periods=audit_log.periods(db.utcnow()),
    )  # fmt: skip


def acts_on(user: Any, person: Any) -> bool:
    """Whether the page of this person shows actions to this user."""
    return bool(user.may("users:write") and user.id != person.id and roles.covers(user.role, person.role))


def role_words(admin: Any = None) -> dict[str, str]:
    """Role -> how it is shown; only those that `admin` may give, if there is one."""
    return {role: role.capitalize() for role in ROLES if admin is None or roles.covers(admin.role, role)}


async def known(request: Request) -> Any:
    """The person whom the path names."""
    user_id = urls.uuid_or_none(request.path_params["user_id"])
    found = await users.get(user_id) if user_id else None
    if found is None:
        raise Problem(404)
    return found


async def known_session(request: Request) -> tuple[Any, Any]:
    """The person and the session of theirs that the path names."""
    found, sid = await known(request), urls.uuid_or_none(request.path_params["session_id"])
    row = await users.session_of(found.id, sid) if sid else None
    if row is None:
        raise Problem(404)
    return found, row


def _described(rows: list[Any]) -> list[dict[str, Any]]:
    """Events in words, with the fields as they are."""
    return [
        {
            **row._mapping,
            "text": events.EVENT_TEXT.get(row.event, row.event),
            "more": row.detail if row.event == events.ROLE_CHANGED else events.explained(row),
            "device": client.device(row.user_agent) if row.user_agent else "",
        }
        for row in rows
    ]


def _undo(notice: str, found: Any, rows: list[Any]) -> dict[str, Any] | None:
    """`asks`: what is done there gives something, so its page asks for a proof first."""
    if notice == "user_deactivated" and not found.is_active:
        return {"action": "reactivate", "text": "Undo: reactivate", "asks": True}
    if notice == "new_password_wanted" and found.must_change_password:
        return {"action": "allow-old-password", "text": "Undo: do not require a new password", "asks": True}
    if notice == "role_changed" and (before := _role_before(found.id, rows)):
        text, fields = f"Undo: {before} again", {"name": found.name, "role": before}
        if before in roles.privileged():
            return {"action": f"edit?role={before}", "text": text, "asks": True}
        return {"action": "edit", "text": text, "asks": False, "fields": fields}
    return None


def _role_before(user_id: UUID, rows: list[Any]) -> str | None:
    changed = next((row for row in rows if row.event == events.ROLE_CHANGED and row.user_id == user_id), None)
    before = changed.detail.partition(" to ")[0] if changed else None
    return before if before in ROLES else None


route_patterns = [
    permissions.private("/admin", index, requires("users:read")),
    private_events("/admin/events", overview.live, requires("users:read")),
    permissions.private("/admin/users", people, requires("users:read")),
    permissions.private("/admin/users/pending", pending, requires("users:read")),
    permissions.private("/admin/audit", audit_page, requires("audit:read")),
    permissions.private("/admin/users/{user_id}", person, requires("users:read")),
    permissions.private("/admin/users/{user_id}/sessions/{session_id}", session, requires("users:read")),
]
