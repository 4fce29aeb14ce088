"""People as JSON, for admins: the same rules as the pages, and a bearer token is as good as a cookie."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from ravyn import Request, get, patch

from app.admin import pages, users
from app.admin.actions import checked, known_role
from app.admin.asked import People, read
from app.auth import administration, guards
from app.web.errors import Problem
from app.web.forms import Line
from app.web.json_response import JSONResponse


class UserPatch(BaseModel):
    """What is left out stays as it is. Anything else in the body is refused (v5.0.0-15.3.3, mass assignment)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Line(1, 80)] | None = None
    role: Annotated[str, AfterValidator(known_role)] | None = None
    is_active: bool | None = None


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


QUERY = tuple(
    {"name": name, "in": "query", "schema": schema}
    for name, schema in {
        "q": {"type": "string", "maxLength": 254},
        "role": {"enum": ["", "user", "admin"]},
        "status": {"enum": ["", "active", "deactivated"]},
        "sort": {"enum": ["newest", "name", "email", "last_login"]},
        "cursor": {"type": "string", "format": "uuid"},
    }.items()
)


@get()
async def index(request: Request) -> Any:
    """Query: q, role, status (active, deactivated), sort (newest, name, email, last_login), cursor."""
    asked = read(request.query_params, People)
    if asked.errors:
        raise Problem(422, errors=[{"field": field, "message": text} for field, text in asked.errors.items()])
    page = await users.listing(asked.data)
    return JSONResponse({"items": [_json(row) for row in page.items], "next_cursor": page.next_cursor})


@get()
async def show(request: Request) -> Any:
    return JSONResponse(_json(await pages.known(request)))


@patch(status_code=200)
async def change(request: Request, data: UserPatch) -> Any:
    person = await pages.known(request)
    checked(await administration.change(person.id, request.user.id, **data.model_dump(exclude_none=True)))
    return JSONResponse(_json(await pages.known(request)))


def _json(row: Any) -> dict[str, Any]:
    """Built field by field: the framework's return annotations filter nothing."""
    return {
        "id": str(row.id),
        "email": row.email,
        "name": row.name,
        "role": row.role,
        "is_active": row.is_active,
        "must_change_password": row.must_change_password,
        "created_at": row.created_at.isoformat(),
        "last_login": row.last_login.isoformat() if row.last_login else None,
        "sessions": row.sessions,
    }


route_patterns = [
    guards.private("/api/admin/users", index, guards.Admin, answers={200: PersonList}, query=QUERY),
    guards.private("/api/admin/users/{user_id}", show, guards.Admin, answers={200: Person}),
    guards.private("/api/admin/users/{user_id}", change, guards.RecentAdmin, answers={200: Person}),
]
