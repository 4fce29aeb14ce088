"""The admin API: users, sessions and the audit log as JSON, with a bearer token or a cookie (see `api_models`)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from ravyn import Request, get, patch, post

from app.admin import actions, audit_log, pages, users
from app.admin.actions import checked
from app.admin.api_models import (
    AUDIT_QUERY,
    PEOPLE_QUERY,
    Confirmed,
    Event,
    EventList,
    Invitation,
    Nothing,
    Person,
    PersonList,
    Session,
    SessionList,
    UserPatch,
)
from app.admin.audit_log import AuditFilters
from app.admin.users import PeopleFilters
from app.auth import permissions, roles
from app.auth.accounts import user_admin
from app.auth.accounts.user_admin import Outcome
from app.auth.errors import Forbidden
from app.auth.permissions import requires
from app.mfa import proofs
from app.web.errors import Problem
from app.web.filters import parsed
from app.web.json_response import JSONResponse


@get()
async def index(request: Request) -> Any:
    """People. Query: q, role, status (active, deactivated), verified (yes, no), sort (newest, name, ...), cursor."""
    page = await users.listing(parsed(request.query_params, PeopleFilters))
    return JSONResponse({"items": [_person(row) for row in page.items], "next_cursor": page.next_cursor})


@post(status_code=201)
async def invite(request: Request, data: Invitation) -> Any:
    """Create an account; its owner gets a link by e-mail to choose the password. 403 with APP_REGISTRATION=closed."""
    user_admin.check_takes_invited()
    await _confirm(request, data)
    made = await user_admin.invite(data.email, data.name, data.role, request.user.id)
    if made is Outcome.NOTHING:
        raise Problem(422, errors=[{"field": "email", "message": actions.TAKEN}])
    if isinstance(made, Outcome):
        raise Forbidden
    return JSONResponse(_person(await users.get(made)), status_code=201)


@get()
async def show(request: Request) -> Any:
    return JSONResponse(_person(await pages.known(request)))


@patch(status_code=200)
async def change(request: Request, data: UserPatch) -> Any:
    person = await pages.known(request)
    role = actions.new_role(person, data.role)
    if role in roles.privileged() or data.is_active:
        await _confirm(request, data)
    done = await user_admin.change(person.id, request.user.id, name=data.name, role=role, is_active=data.is_active)
    checked(done)
    return JSONResponse(_person(await pages.known(request)))


@post(status_code=200)
async def act(request: Request, data: Confirmed | None = None) -> Any:
    """One of: deactivate, reactivate, end-sessions, send-link, require-new-password, allow-old-password.

    And remove-second-factor.
    """
    person, action = await actions.requested_action(request)
    if action in actions.GIVES:
        await _confirm(request, data or Confirmed())
    do, _ = actions.ACTIONS[action]
    checked(await do(person.id, request.user.id))
    return JSONResponse(_person(await pages.known(request)))


@get()
async def sessions(request: Request) -> Any:
    person = await pages.known(request)
    rows = await users.sessions_of(person.id)
    return JSONResponse({"items": [_fields(row, Session) for row in rows]})


@post(status_code=200)
async def end_session(request: Request, data: Nothing | None = None) -> Any:
    person, row = await actions.session_of_another(request)
    checked(await user_admin.end_session(person.id, row.id, request.user.id))
    return JSONResponse(_person(await pages.known(request)))


@get()
async def audit_index(request: Request) -> Any:
    """The audit log. Query: event, person (address or id), ip, since and until (days in UTC, included), cursor."""
    page = await audit_log.listing(parsed(request.query_params, AuditFilters))
    items = [_fields(row, Event) for row in page.items]
    return JSONResponse({"items": items, "next_cursor": page.next_cursor})


async def _confirm(request: Request, data: Confirmed) -> None:
    """Raises Problem 422 for a missing or wrong proof."""
    if request.user.program:
        return
    if field_errors := await proofs.verify(request.user, data.proof()):
        raise Problem(422, errors=[{"field": field, "message": text} for field, text in field_errors.items()])


def _person(row: Any) -> dict[str, Any]:
    return _fields(row, Person)


def _fields(row: Any, model: type[BaseModel]) -> dict[str, Any]:
    """Built field by field: the framework's return annotations filter nothing."""
    values = {name: row._mapping[name] for name in model.model_fields}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


route_patterns = [
    permissions.private(
        "/api/admin/users", index, requires("users:read"), answers={200: PersonList}, query=PEOPLE_QUERY
    ),
    permissions.private("/api/admin/users", invite, requires("users:write"), answers={201: Person}),
    permissions.private("/api/admin/users/{user_id}", show, requires("users:read"), answers={200: Person}),
    permissions.private("/api/admin/users/{user_id}", change, requires("users:write"), answers={200: Person}),
    permissions.private(
        "/api/admin/users/{user_id}/sessions", sessions, requires("users:read"), answers={200: SessionList}
    ),
    permissions.private(
        "/api/admin/users/{user_id}/sessions/{session_id}/end",
        end_session,
        requires("users:write"),
        answers={200: Person},
    ),
    permissions.private("/api/admin/users/{user_id}/{action}", act, requires("users:write"), answers={200: Person}),
    permissions.private(
        "/api/admin/audit", audit_index, requires("audit:read"), answers={200: EventList}, query=AUDIT_QUERY
    ),
]
