"""Field types of forms and JSON bodies: numbers, days, timestamps, choices. Text: `forms.Line` and `forms.Lines`.

A form sends text for everything; a strict model, which JSON bodies have, takes no text for a number or a truth value.
`Annotated[Day | None, BLANK] = None` is a field that may be left empty.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ValidationInfo, WithJsonSchema

from app.web import urls
from app.web.filters import YEARS

WHOLE = range(-(2**31), 2**31)  # what a column of whole numbers holds
_WHOLE = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_EXACT = re.compile(r"[+-]?\d{1,10}(?:\.\d{1,2})?", re.ASCII)
_FORM_WORDS = {"yes": True, "no": False}


def _whole(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and not _strict(info):
        if not _WHOLE.fullmatch(value.strip()):
            raise ValueError("Enter a whole number.")
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value not in WHOLE:
        raise ValueError(f"Enter a number from {WHOLE[0]} to {WHOLE[-1]}.")
    return value


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _EXACT.fullmatch(value.strip()):
        raise ValueError("Enter a number such as 12.50, with at most two decimals.")
    return Decimal(value.strip())


def _day(value: Any) -> Any:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("Enter a date such as 2026-01-31.") from None
    if isinstance(day, date) and day.year not in YEARS:
        raise ValueError("Enter a date such as 2026-01-31.")
    return day


def _moment(value: Any, info: ValidationInfo) -> Any:
    """A form says UTC; a program says its offset."""
    if isinstance(value, datetime):
        return value
    said = "Enter a date and a time such as 2026-01-31T09:30" + ("+00:00." if _strict(info) else ".")
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        if moment.tzinfo is None:
            if _strict(info):
                raise ValueError
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(said) from None
    if moment.year not in YEARS:
        raise ValueError(said)
    return moment


def _yes_or_no(value: Any, info: ValidationInfo) -> Any:
    return _FORM_WORDS.get(value, value) if isinstance(value, str) and not _strict(info) else value


def _reference(value: Any) -> Any:
    if isinstance(value, UUID):
        return value
    found = urls.uuid_or_none(value if isinstance(value, str) else None)
    if found is None:
        raise ValueError("Choose one of the listed values.")
    return found


def _strict(info: ValidationInfo) -> bool:
    return bool(info.config and info.config.get("strict"))


Whole = Annotated[
    int,
    BeforeValidator(_whole),
    WithJsonSchema({"type": "integer", "minimum": WHOLE[0], "maximum": WHOLE[-1]}),
]
Exact = Annotated[Decimal, BeforeValidator(_exact), WithJsonSchema({"type": "string", "examples": ["12.50"]})]
Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Reference = Annotated[UUID, BeforeValidator(_reference)]
BLANK = BeforeValidator(lambda value: None if isinstance(value, str) and not value.strip() else value)


class Changes(BaseModel):
    """Makes every field of a model optional: `class ProjectPatch(Changes, NewProject)`. What is left out stays."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for field in cls.model_fields.values():
            field.default = None
            field.default_factory = None
        cls.model_rebuild(force=True)
