"""Validation messages: what people read about a value that does not fit, never the value itself."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from app.web.client import clean

FIELDS = 20
NAME_LENGTH = 64
BODY_PARAMETERS = ("data", "payload")


def of(error: ValidationError) -> list[dict[str, str]]:
    """One entry for each field: {"field": "address.city", "message": ...}. The first fault of a field counts."""
    found: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False, include_context=True):
        found.setdefault(_field(fault["loc"]), _message(fault))
    return [{"field": field, "message": message} for field, message in list(found.items())[:FIELDS]]


def _field(location: Iterable[Any]) -> str:
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] in BODY_PARAMETERS:
        parts = parts[1:]
    return clean(".".join(parts), NAME_LENGTH)


def _message(fault: Any) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])  # written by our own validators
    if kind == "string_too_short":
        least = context["min_length"]
        return "Please fill this in." if least == 1 else f"Use at least {least} characters."
    if kind == "string_too_long":
        return f"Use at most {context['max_length']} characters."
    return _MESSAGES.get(kind, "This value is not valid.")


_MESSAGES = {
    "missing": "This is required.",
    "extra_forbidden": "This field is not known.",
    "string_type": "This must be text.",
    "literal_error": "Choose one of the listed values.",
    "date_type": "Enter a date such as 2026-01-31.",
    "string_unicode": "This must be text.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "dict_type": "This must be an object.",
    "list_type": "This must be a list.",
}
