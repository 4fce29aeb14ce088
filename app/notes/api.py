"""The demo feature's JSON API: the same rules as its pages, the same 404 for another person's note."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from lilya.responses import Response
from pydantic import BaseModel, ConfigDict
from ravyn import Request, delete, get, patch, post

from app.auth import permissions
from app.notes import store
from app.notes.fields import STATUSES, Body, DueOn, Status, Title
from app.notes.store import NoteFilters
from app.web import urls
from app.web.errors import Problem
from app.web.filters import parsed
from app.web.json_response import JSONResponse


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: Title
    body: Body = ""
    status: Status = "open"
    due_on: DueOn = None


class NotePatch(BaseModel):
    """What is left out stays as it is, and so does what is null, but for `due_on`: null takes the day away."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Title | None = None
    body: Body | None = None
    status: Status | None = None
    due_on: DueOn = None


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    title: str
    body: str
    status: Status
    due_on: date | None
    created_at: datetime
    updated_at: datetime


class NoteList(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    model_config = ConfigDict(extra="forbid")

    items: list[Note]
    next_cursor: UUID | None


QUERY = (
    {"name": "q", "in": "query", "schema": {"type": "string", "maxLength": 200}, "description": "words to look for"},
    {"name": "status", "in": "query", "schema": {"enum": ["", *STATUSES]}},
    {"name": "cursor", "in": "query", "schema": {"type": "string", "format": "uuid"}, "description": "next_cursor"},
)


@get()
async def index(request: Request) -> Any:
    page = await store.listing(request.user.id, parsed(request.query_params, NoteFilters))
    return JSONResponse({"items": [_json(row) for row in page.items], "next_cursor": page.next_cursor})


@post(status_code=201)
async def create(request: Request, data: NewNote) -> Any:
    note = await store.create(request.user.id, **dict(data))
    return JSONResponse(_json(note), status_code=201, headers={"Location": f"/api/notes/{note.id}"})


@get()
async def show(request: Request) -> Any:
    return JSONResponse(_json(_found(await store.get(request.user.id, _id(request)))))


@patch(status_code=200)
async def change(request: Request, data: NotePatch) -> Any:
    sent = data.model_dump(exclude_unset=True)
    fields = {name: value for name, value in sent.items() if value is not None or name == "due_on"}
    return JSONResponse(_json(_found(await store.change(request.user.id, _id(request), **fields))))


@delete(status_code=200)
async def remove(request: Request) -> Any:
    if not await store.delete(request.user.id, _id(request)):
        raise Problem(404)
    return Response(status_code=204)


def _id(request: Request) -> Any:
    note_id = urls.uuid_or_none(request.path_params["note_id"])
    if note_id is None:
        raise Problem(404)
    return note_id


def _found(note: Any) -> Any:
    if note is None:
        raise Problem(404)
    return note


def _json(note: Any) -> dict[str, Any]:
    """Built field by field: the framework's return annotations filter nothing."""
    return {
        "id": str(note.id),
        "title": note.title,
        "body": note.body,
        "status": note.status,
        "due_on": note.due_on and note.due_on.isoformat(),
        "created_at": note.created_at.isoformat(),
        "updated_at": note.updated_at.isoformat(),
    }


route_patterns = [
    permissions.private("/api/notes", index, answers={200: NoteList}, query=QUERY),
    permissions.private("/api/notes", create, answers={201: Note}),
    permissions.private("/api/notes/{note_id}", show, answers={200: Note}),
    permissions.private("/api/notes/{note_id}", change, answers={200: Note}),
    permissions.private("/api/notes/{note_id}", remove, answers={204: None}),
]
