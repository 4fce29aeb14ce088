"""Download pages of the admin area: what the CSV file will hold, and the file.

A GET must not leave a line in the trail, nor a list of people in somebody's cache: the file is the answer to a POST.
"""

from typing import Any

from pydantic import BaseModel
from ravyn import Request, get, post

from app.admin import export
from app.admin.filters import AuditFilters, PeopleFilters, parsed
from app.admin.pages import active
from app.audit import events
from app.auth import permissions
from app.web import forms, templates


@get()
async def confirm_users_export(request: Request) -> Any:
    return _export_page(request, "users", parsed(request.query_params, PeopleFilters))


@post(status_code=200)
async def export_users(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    filters = parsed(request.query_params, PeopleFilters)
    await _record(request, events.USERS_EXPORTED, filters)
    return export.people(filters)


@get()
async def confirm_audit_export(request: Request) -> Any:
    return _export_page(request, "audit", parsed(request.query_params, AuditFilters))


@post(status_code=200)
async def export_audit(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    filters = parsed(request.query_params, AuditFilters)
    await _record(request, events.AUDIT_EXPORTED, filters)
    return export.audit_file(filters)


async def _record(request: Request, event: str, filters: BaseModel) -> None:
    """Before the first row goes out. Says by what it was chosen, never what a visitor typed."""
    chosen = ", ".join(name for name, value in filters if value and name not in ("cursor", "sort"))
    user = request.user
    await events.record(event, actor_id=user.id, session_id=user.sid, detail=chosen and f"chosen by {chosen}")


def _export_page(request: Request, what: str, filters: BaseModel) -> Any:
    return templates.page(request, "admin/export.html", what=what, filters=active(filters))


route_patterns = [
    permissions.private("/admin/users/export", confirm_users_export, permissions.RecentAdmin),
    permissions.private("/admin/users/export", export_users, permissions.RecentAdmin),
    permissions.private("/admin/audit/export", confirm_audit_export, permissions.RecentAdmin),
    permissions.private("/admin/audit/export", export_audit, permissions.RecentAdmin),
]
