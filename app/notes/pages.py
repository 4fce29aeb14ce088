"""The demo feature's pages: only the owner's notes; another person's are not found."""

from typing import Any

from pydantic import BaseModel
from ravyn import Request, get, post

from app.auth import permissions
from app.auth.challenges import see_other
from app.notes import store
from app.notes.fields import Body, Title
from app.web import forms, templates, urls
from app.web.errors import Problem

EXCERPT = 160


class NoteForm(BaseModel):
    title: Title
    body: Body = ""


@get()
async def index(request: Request) -> Any:
    search = request.query_params.get("q", "").strip()[:200]
    after = urls.uuid_or_none(request.query_params.get("cursor"))
    page = await store.listing(request.user.id, search=search, after=after)
    notes = [{**row._mapping, "excerpt": row.body[:EXCERPT]} for row in page.items]
    return templates.page(request, "notes/index.html", notes=notes, query=search, next_cursor=page.next_cursor)


@get()
async def new(request: Request) -> Any:
    return _form(request, {"title": "", "body": ""}, None)


@post(status_code=303)
async def create(request: Request) -> Any:
    form = await forms.parse(request, NoteForm)
    if form.data is None:
        return _form(request, form.values, None, form.errors)
    note = await store.create(request.user.id, form.data.title, form.data.body)
    return see_other(f"/notes/{note.id}", notice="note_saved")


@get()
async def show(request: Request) -> Any:
    return templates.page(request, "notes/show.html", note=(await _found(request))._mapping)


@get()
async def edit(request: Request) -> Any:
    note = await _found(request)
    return _form(request, {"title": note.title, "body": note.body}, note.id)


@post(status_code=303)
async def save(request: Request) -> Any:
    note = await _found(request)
    form = await forms.parse(request, NoteForm)
    if form.data is None:
        return _form(request, form.values, note.id, form.errors)
    await store.change(request.user.id, note.id, title=form.data.title, body=form.data.body)
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


async def _found(request: Request) -> Any:
    note_id = urls.uuid_or_none(request.path_params["note_id"])
    note = note_id and await store.get(request.user.id, note_id)
    if note is None:
        raise Problem(404)
    return note


def _form(request: Request, values: dict[str, str], note_id: Any, errors: dict[str, str] | None = None) -> Any:
    form = {"title": values.get("title", ""), "body": values.get("body", "")}
    status = 422 if errors else 200
    return templates.page(request, "notes/form.html", status, form=form, errors=errors or {}, note_id=note_id)


route_patterns = [
    permissions.private("/notes", index),
    permissions.private("/notes", create),
    permissions.private("/notes/new", new),
    permissions.private("/notes/{note_id}", show),
    permissions.private("/notes/{note_id}", save),
    permissions.private("/notes/{note_id}/edit", edit),
    permissions.private("/notes/{note_id}/delete", confirm_delete),
    permissions.private("/notes/{note_id}/delete", delete),
]
