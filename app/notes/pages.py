"""The demo feature's pages: only the owner's notes; another person's are not found."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from ravyn import Request, get, post

from app.auth import permissions
from app.auth.permissions import requires
from app.auth.redirects import see_other
from app.notes import store
from app.notes.fields import STATUSES, Body, DueOn, Status, Title
from app.notes.store import NoteFilters
from app.web import csv_export, forms, templates, urls
from app.web.errors import Problem
from app.web.filters import active, parsed, read

EXCERPT = 160
CSV = ("title", "body", "status", "due_on", "created_at", "updated_at")


class NoteForm(BaseModel):
    title: Title
    body: Body = ""
    status: Status = "open"
    due_on: DueOn = None


@get()
async def index(request: Request) -> Any:
    filters = read(request.query_params, NoteFilters).data
    page = await store.listing(request.user.id, filters)
    notes = [{**row._mapping, "excerpt": row.body[:EXCERPT]} for row in page.items]
    return templates.page(
        request, "notes/index.html", notes=notes, statuses=STATUSES, filters=active(filters),
        next_cursor=page.next_cursor,
    )  # fmt: skip


@get()
async def new(request: Request) -> Any:
    return _form(request, {"status": "open"}, None)


@post(status_code=303)
async def create(request: Request) -> Any:
    form = await forms.parse(request, NoteForm)
    if form.data is None:
        return _form(request, form.values, None, form.errors)
    note = await store.create(request.user.id, **dict(form.data))
    return see_other(f"/notes/{note.id}", notice="note_saved")


@get()
async def show(request: Request) -> Any:
    return templates.page(request, "notes/show.html", note=(await _found(request))._mapping, statuses=STATUSES)


@get()
async def edit(request: Request) -> Any:
    note = await _found(request)
    values = {name: str(note._mapping[name] or "") for name in NoteForm.model_fields}
    return _form(request, values, note.id)


@post(status_code=303)
async def save(request: Request) -> Any:
    note = await _found(request)
    form = await forms.parse(request, NoteForm)
    if form.data is None:
        return _form(request, form.values, note.id, form.errors)
    await store.change(request.user.id, note.id, **dict(form.data))
    return see_other(f"/notes/{note.id}", notice="note_saved")


@get()
async def confirm_delete(request: Request) -> Any:
    return templates.page(request, "notes/delete.html", note=(await _found(request))._mapping)


@post(status_code=303)
async def delete(request: Request) -> Any:
    await forms.parse(request, forms.Nothing)
    note = await _found(request)
    await store.delete(request.user.id, note.id)
    return see_other("/notes", notice="note_deleted")


@get()
async def export(request: Request) -> Any:
    """The notes of the list as CSV, all pages of it."""
    filters, owner_id = parsed(request.query_params, NoteFilters), request.user.id

    def page(last: Any) -> Any:
        return store.listing(owner_id, filters.model_copy(update={"cursor": last and last.id}), csv_export.CHUNK)

    return csv_export.file("notes", CSV, page)


@get()
async def counts(request: Request) -> Any:
    """For administrators: how many notes there are, and nothing of what they say."""
    counted = await store.count_by_status()
    return templates.page(request, "notes/admin.html", counted=counted, statuses=STATUSES)


async def _found(request: Request) -> Any:
    note_id = urls.uuid_or_none(request.path_params["note_id"])
    note = note_id and await store.get(request.user.id, note_id)
    if note is None:
        raise Problem(404)
    return note


def _form(request: Request, values: Mapping[str, str], note_id: Any, errors: dict[str, str] | None = None) -> Any:
    form = {name: values.get(name, "") for name in NoteForm.model_fields}
    context = {"form": form, "errors": errors or {}, "note_id": note_id, "statuses": STATUSES}
    context["longest"] = forms.longest(NoteForm)
    return templates.page(request, "notes/form.html", 422 if errors else 200, **context)


route_patterns = [
    permissions.private("/notes", index),
    permissions.private("/notes", create),
    permissions.private("/notes/new", new),
    permissions.private("/notes/export", export),
    permissions.private("/notes/{note_id}", show),
    permissions.private("/notes/{note_id}", save),
    permissions.private("/notes/{note_id}/edit", edit),
    permissions.private("/notes/{note_id}/delete", confirm_delete),
    permissions.private("/notes/{note_id}/delete", delete),
    permissions.private("/admin/notes", counts, requires("notes:read")),
]
