"""The bodies, responses and query parameters of the admin API, as models that `openapi` describes."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.admin import user_statements
from app.admin.actions import known_role
from app.auth.roles import ROLES
from app.mfa.proofs import Proof
from app.web import lengths
from app.web.email_address import Address
from app.web.forms import Line


class Confirmed(BaseModel):
    """`current_password` and `code` of the administrator, required for actions that grant rights or access.

    A program with tokens from /api/auth/login need not send them: no browser ever held its tokens. Unknown fields are
    refused (v5.0.0-15.3.3, mass assignment).
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    current_password: str = ""
    code: str = Field(default="", max_length=lengths.CODE)

    def proof(self) -> Proof:
        return Proof(self.current_password, self.code)


class UserPatch(Confirmed):
    """Fields that are left out do not change."""

    name: Annotated[str, Line(1, lengths.NAME)] | None = None
    role: Annotated[str, AfterValidator(known_role)] | None = None
    is_active: bool | None = None


class Invitation(Confirmed):
    email: Address
    name: Annotated[str, Line(1, lengths.NAME)]
    role: Annotated[str, AfterValidator(known_role)]


class Nothing(BaseModel):
    """An empty body: the address says everything."""

    model_config = ConfigDict(extra="forbid")


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    email: str
    name: str
    role: Annotated[str, Field(json_schema_extra={"enum": [*ROLES]})]
    is_active: bool
    must_change_password: bool
    created_at: datetime
    last_login: datetime | None
    sessions: int = Field(description="live sessions")


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
    """Live sessions, the most recently used first, at most 50."""

    model_config = ConfigDict(extra="forbid")

    items: list[Session]


class Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    at: datetime
    event: str
    user_id: UUID | None = Field(description="the user it is about")
    about_email: str | None = Field(description="null once the account is gone")
    actor_id: UUID | None = Field(description="who did it; null if nobody was signed in")
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
    q=TEXT, role={"enum": ["", *ROLES]}, status={"enum": ["", "active", "deactivated"]},
    verified={"enum": ["", "yes", "no"]},
    sort={"enum": list(user_statements.SORTS)}, cursor=CURSOR,
)  # fmt: skip
AUDIT_QUERY = _query(event=TEXT, person=TEXT, ip=TEXT, since=DAY, until=DAY, cursor=CURSOR)
