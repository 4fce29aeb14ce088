"""The admin API: users, sessions and the audit log as JSON, with a bearer token or a cookie."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from ravyn import Request, get, patch, post

from app.admin import actions, audit_log, pages, users
from app.admin.actions import checked, known_role
from app.admin.audit_log import AuditFilters
from app.admin.users import PeopleFilters
from app.auth import permissions
from app.auth.accounts import user_admin
from app.auth.accounts.user_admin import Outcome
from app.auth.errors import Forbidden
from app.mfa import proofs
from app.mfa.proofs import Proof
from app.web.email_address import Address
from app.web.errors import Problem
from app.web.filters import parsed
from app.web.forms import Line
from app.web.json_response import JSONResponse


class Confirmed(BaseModel):
    """`current_password` and `code` (of whoever asks) prove who asks for what gives somebody something.

    A program need not: its tokens, from /api/auth/login, were never in a browser's cookies. Anything else in a body is
    refused (v5.0.0-15.3.3, mass assignment).
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    current_password: str = ""
    code: str = Field(default="", max_length=100)

    def proof(self) -> Proof:
        return Proof(self.current_password, self.code)


class UserPatch(Confirmed):
    """What is left out stays as it is."""

    name: Annotated[str, Line(1, 80)] | None = None
    role: Annotated[str, AfterValidator(known_role)] | None = None
    is_active: bool | None = None


class Invitation(Confirmed):
    email: Address
    name: Annotated[str, Line(1, 80)]
    role: Annotated[str, AfterValidator(known_role)]


class Nothing(BaseModel):
    """The address says it all."""

    model_config = ConfigDict(extra="forbid")


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    email: str
    name: str
    role: Literal["user", "admin"]
    is_active: bool
    must_change_password: bool
    created_at: datetime
    last_login: datetime | None
    sessions: int = Field(description="live ones")


class PersonList(BaseModel):
    """`next_cursor` is null on the last page."""

    model_config = ConfigDict(extra="forbid")

    items: list[Person]
    next_cursor: UUID | None


class Session(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    user_agent: str
    ip: str
    created_at: datetime
    last_seen_at: datetime


class SessionList(BaseModel):
    """The live ones, the one used last first, at most 50."""

    model_config = ConfigDict(extra="forbid")

    items: list[Session]


class Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    at: datetime
    event: str
    user_id: UUID | None = Field(description="whom it is about")
    about_email: str | None = Field(description="null once the account is gone")
    actor_id: UUID | None = Field(description="who did it; null for somebody not signed in")
    by_email: str | None
    session_id: UUID | None
    ip: str
    user_agent: str
    request_id: str
    detail: str


class EventList(BaseModel):
    """Newest first. `next_cursor` is null on the last page."""

    model_config = ConfigDict(extra="forbid")

    items: list[Event]
    next_cursor: UUID | None


def _query(**schemas: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple({"name": name, "in": "query", "schema": schema} for name, schema in schemas.items())


TEXT, CURSOR = {"type": "string", "maxLength": 254}, {"type": "string", "format": "uuid"}
DAY = {"type": "string", "format": "date"}
PEOPLE_QUERY = _query(
    q=TEXT, role={"enum": ["", "user", "admin"]}, status={"enum": ["", "active", "deactivated"]},
    verified={"enum": ["", "yes", "no"]},
    sort={"enum": ["newest", "name", "email", "last_login"]}, cursor=CURSOR,
)  # fmt: skip
AUDIT_QUERY = _query(event=TEXT, person=TEXT, ip=TEXT, since=DAY, until=DAY, cursor=CURSOR)


@get()
async def index(request: Request) -> Any:
    """People. Query: q, role, status (active, deactivated), verified (yes, no), sort (newest, name, ...), cursor."""
    page = await users.listing(parsed(request.query_params, PeopleFilters))
    return JSONResponse({"items": [_person(row) for row in page.items], "next_cursor": page.next_cursor})


@post(status_code=201)
async def invite(request: Request, data: Invitation) -> Any:
    """Make an account; its owner gets a letter with a link to choose the password. 403 with APP_REGISTRATION=closed."""
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
    if role == "admin" or data.is_active:
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
    """The audit trail. Query: event, person (address or id), ip, since and until (days in UTC, included), cursor."""
    page = await audit_log.listing(parsed(request.query_params, AuditFilters))
    items = [_fields(row, Event) for row in page.items]
    return JSONResponse({"items": items, "next_cursor": page.next_cursor})


async def _confirm(request: Request, data: Confirmed) -> None:
    """Raises Problem 422 for a proof that is missing or wrong."""
    if request.user.program:
        return
    if field_errors := await proofs.given(request.user, data.proof()):
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
    permissions.private("/api/admin/users", index, permissions.Admin, answers={200: PersonList}, query=PEOPLE_QUERY),
    permissions.private("/api/admin/users", invite, permissions.RecentAdmin, answers={201: Person}),
    permissions.private("/api/admin/users/{user_id}", show, permissions.Admin, answers={200: Person}),
    permissions.private("/api/admin/users/{user_id}", change, permissions.RecentAdmin, answers={200: Person}),
    permissions.private("/api/admin/users/{user_id}/sessions", sessions, permissions.Admin, answers={200: SessionList}),
    permissions.private(
        "/api/admin/users/{user_id}/sessions/{session_id}/end",
        end_session,
        permissions.RecentAdmin,
        answers={200: Person},
    ),
    permissions.private("/api/admin/users/{user_id}/{action}", act, permissions.RecentAdmin, answers={200: Person}),
    permissions.private(
        "/api/admin/audit", audit_index, permissions.Admin, answers={200: EventList}, query=AUDIT_QUERY
    ),
]
