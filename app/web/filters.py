"""Filters of a list: a query string made into a checked model.

Words that sort or filter come out of closed sets, so nothing of an address ever becomes a part of a statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError

from app.web import urls, validation_messages
from app.web.errors import Problem

YEARS = range(1970, 9999)  # an id can hold no earlier moment, and the calendar ends with the last one

Model = TypeVar("Model", bound=BaseModel)


def one_of(*known: str) -> Any:
    """`status: Annotated[str, one_of("open", "done")] = ""`: one of these, or nothing."""

    def check(text: str) -> str:
        if text and text not in known:
            raise ValueError("Choose one of the listed values.")
        return text

    return AfterValidator(check)


def _cursor(text: str) -> UUID | None:
    found = urls.uuid_or_none(text)
    if text and found is None:
        raise ValueError("This cursor is not valid.")
    return found


def _day(text: Any) -> Any:
    if not isinstance(text, str):
        return text  # of a JSON body: null, or what is no date
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError("Enter a date such as 2026-01-31.") from None
    if day and day.year not in YEARS:
        raise ValueError("Enter a date such as 2026-01-31.")
    return day


def _ip_address(text: str) -> str:
    try:
        return str(ip_address(text)) if text else ""
    except ValueError:
        raise ValueError("Enter an IP address such as 192.0.2.7 or 2001:db8::7.") from None


Trimmed = Annotated[str, Field(max_length=254), BeforeValidator(lambda text: text.strip())]
Words = Annotated[str, BeforeValidator(lambda text: text.strip()[:200])]
Cursor = Annotated[UUID | None, BeforeValidator(_cursor)]
Day = Annotated[date | None, BeforeValidator(_day)]  # "" stands for none
IpAddress = Annotated[Trimmed, AfterValidator(_ip_address)]


@dataclass(frozen=True, slots=True)
class Filters(Generic[Model]):
    """`data`: what was understood. `errors`: field to message, for the rest. `values`: all of it as typed."""

    data: Model
    errors: dict[str, str]
    values: dict[str, str]


def read(query: Mapping[str, str], model: type[Model]) -> Filters[Model]:
    """Read the fields of the model from a query. Never raises: invalid values are left out and reported."""
    values = {name: str(query.get(name, "")) for name in model.model_fields}
    given = {name: value for name, value in values.items() if value}
    errors: dict[str, str] = {}
    try:
        data = model.model_validate(given)
    except ValidationError as error:
        errors = {fault["field"]: fault["message"] for fault in validation_messages.of(error)}
        data = model.model_validate({name: value for name, value in given.items() if name not in errors})
    return Filters(data, errors, values)


def parsed(query: Mapping[str, str], model: type[Model]) -> Model:
    """As `read`, where nothing may be left out: Problem 422 for what is wrong."""
    filters = read(query, model)
    if filters.errors:
        raise Problem(422, errors=[{"field": field, "message": text} for field, text in filters.errors.items()])
    return filters.data


def active(data: BaseModel) -> dict[str, str]:
    """The valid filters, for links to further pages: everything but the cursor."""
    return {name: str(value) for name, value in data if value and name != "cursor"}
