"""Handlers of what belongs to one person: scopes, the row of an address, rows as JSON and in forms."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.db.scope import Refused, Rows, Scope
from app.web import csv_export, urls
from app.web.errors import Problem
from app.web.paging import PAGE, Page


def scope(request: Any) -> Scope:
    """The rows of who is signed in. Their id comes from the session, never from the request."""
    return Scope(request.user.id)


async def found(request: Any, model: Any, name: str, *related: str) -> Any:
    """The row that the address names in `{name}`. Errors: Problem 404, for another person's as for none."""
    row_id = urls.uuid_or_none(request.path_params[name])
    row = row_id and await scope(request).get(model, row_id, *related)
    if row is None:
        raise Problem(404)
    return row


async def listing(scope: Scope, model: Any, filters: BaseModel, *related: str, limit: int = PAGE) -> Page:
    """A page of the person's rows, newest first. `filters`: `q`, `cursor`, and fields that have to be equal."""
    where = {name: value for name, value in filters if value and name not in ("q", "cursor")}
    rows = scope.newest(model, *related, words=getattr(filters, "q", ""), **where)
    return await page_of(rows, filters, limit)


async def page_of(rows: Rows, filters: Any, limit: int = PAGE) -> Page:
    return Page.of(await rows.behind(filters.cursor, limit + 1), limit)


def csv(request: Any, model: Any, filters: BaseModel, columns: tuple[str, ...], *related: str) -> Any:
    """The rows of the list as a CSV file, all pages of it."""
    of_person = scope(request)

    async def page(last: Any) -> Page:
        rest = filters.model_copy(update={"cursor": last and last.id})
        return await listing(of_person, model, rest, *related, limit=csv_export.CHUNK)

    return csv_export.file(model.table.name, columns, page)


def accepted(outcome: Any) -> Any:
    """The row that a Scope stored. Errors: Problem 422 for Refused, 404 for None."""
    if isinstance(outcome, Refused):
        raise Problem(422, errors=[{"field": name, "message": text} for name, text in outcome.errors.items()])
    if outcome is None:
        raise Problem(404)
    return outcome


def as_json(row: Any, model: type[BaseModel]) -> dict[str, Any]:
    """The fields that the model names, and no other one: the framework's return annotations filter nothing."""
    return {name: _plain(getattr(row, name)) for name in model.model_fields}


def as_typed(row: Any, model: type[BaseModel]) -> dict[str, str]:
    """The fields of a form as somebody would have typed them."""
    return {name: _typed(getattr(row, name)) for name in model.model_fields}


def _plain(value: Any) -> Any:
    if isinstance(value, (Decimal, UUID)):  # the driver of PostgreSQL has a UUID of its own
        return str(value)
    return str(value.id) if hasattr(value, "id") else value


def _typed(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M")
    return value.isoformat() if isinstance(value, date) else str(_plain(value))
