"""Download pages of the admin area: what the CSV file will hold, and the file.

A GET must not write to the audit log, nor leave a list of users in a cache: the file is the response to a POST.
"""

from typing import Any

from pydantic import BaseModel
from ravyn import Request, get, post

from app.admin import audit_log, users
from app.admin.audit_log import AuditFilters
from app.admin.users import PeopleFilters
from app.audit import events
from app.auth import permissions
from app.auth.permissions import requires
from app.web import csv_export, forms, templates
from app.web.filters import active, parsed

PEOPLE = ("id", "name", "email", "role", "is_active", "created_at", "last_login", "sessions")
EVENTS = (
    "id", "at", "event", "user_id", "about_email", "actor_id", "by_email", "session_id", "ip", "user_agent",
    "request_id", "detail",
)  # fmt: skip


@get()
async def confirm_users_export(request: Request) -> Any:
    return _export_page(request, "users", parsed(request.query_params, PeopleFilters))


@post(status_code=200)
async def export_users(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    filters = parsed(request.query_params, PeopleFilters)
    await _record(request, events.USERS_EXPORTED, filters)
    return people(filters)


@get()
async def confirm_audit_export(request: Request) -> Any:
    return _export_page(request, "audit", parsed(request.query_params, AuditFilters))


@post(status_code=200)
async def export_audit(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    filters = parsed(request.query_params, AuditFilters)
    await _record(request, events.AUDIT_EXPORTED, filters)
    return audit_file(filters)


def people(filters: PeopleFilters) -> Any:
    return csv_export.file("people", PEOPLE, lambda last: users.listing(filters, csv_export.CHUNK, last=last))


def audit_file(filters: AuditFilters) -> Any:
    def page(last: Any) -> Any:
        return audit_log.listing(filters.model_copy(update={"cursor": last and last.id}), csv_export.CHUNK)

    return csv_export.file("audit", EVENTS, page)


async def _record(request: Request, event: str, filters: BaseModel) -> None:
    """Before the first row goes out. Says by what it was chosen, never what a visitor typed."""
    chosen = ", ".join(name for name, value in filters if value and name not in ("cursor", "sort"))
    user = request.user
    await events.record(event, actor_id=user.id, session_id=user.sid, detail=chosen and f"chosen by {chosen}")


def _export_page(request: Request, what: str, filters: BaseModel) -> Any:
    return templates.page(request, "admin/export.html", what=what, filters=active(filters))


route_patterns = [
    permissions.private("/admin/users/export", confirm_users_export, requires("users:export")),
    permissions.private("/admin/users/export", export_users, requires("users:export")),
    permissions.private("/admin/audit/export", confirm_audit_export, requires("audit:export")),
    permissions.private("/admin/audit/export", export_audit, requires("audit:export")),
]
