"""The demo feature's JSON API: the same rules as its pages, the same 404 for another person's note."""

from datetime import datetime
from typing import Any
from uuid import UUID

from lilya.responses import Response
from pydantic import BaseModel, ConfigDict
from ravyn import Request, delete, get, patch, post

from app.auth import permissions
from app.notes import store
from app.notes.fields import Body, Title
from app.web import urls
from app.web.errors import Problem
from app.web.json_response import JSONResponse

LONGEST_PAGE = 100


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: Title
    body: Body = ""


class NotePatch(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: Title | None = None
    body: Body | None = None


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    title: str
    body: str
    created_at: datetime
    updated_at: datetime


class NoteList(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    model_config = ConfigDict(extra="forbid")

    items: list[Note]
    next_cursor: UUID | None


QUERY = (
    {"name": "q", "in": "query", "schema": {"type": "string", "maxLength": 200}, "description": "words to look for"},
    {"name": "cursor", "in": "query", "schema": {"type": "string", "format": "uuid"}, "description": "next_cursor"},
)


@get()
async def index(request: Request) -> Any:
    search = request.query_params.get("q", "").strip()[:200]
    raw = request.query_params.get("cursor")
    after = urls.uuid_or_none(raw)
    if raw and after is None:
        raise Problem(422, "This cursor is not valid.", errors=[{"field": "cursor", "message": "not a cursor"}])
    page = await store.listing(request.user.id, search=search, after=after)
    return JSONResponse({"items": [_json(row) for row in page.items], "next_cursor": page.next_cursor})


@post(status_code=201)
async def create(request: Request, data: NewNote) -> Any:
    note = await store.create(request.user.id, data.title, data.body)
    return JSONResponse(_json(note), status_code=201, headers={"Location": f"/api/notes/{note.id}"})


@get()
async def show(request: Request) -> Any:
    return JSONResponse(_json(_found(await store.get(request.user.id, _id(request)))))


@patch(status_code=200)
async def change(request: Request, data: NotePatch) -> Any:
    fields = data.model_dump(exclude_none=True)
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
