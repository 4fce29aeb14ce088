"""Form validation: text in, a checked model out, or the typed values with a message beside each field.

The framework's `Form()` JSON-decodes every field (the password `12345678` arrives as a number) and its parser decodes
twice (`a%2Bb@example.com` arrives as `a b@example.com`), so neither is used.
Source: v5.0.0-1.3.3 (characters), v5.0.0-2.2.1 (validation), OWASP CSRF Prevention (login CSRF).
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreSchema, core_schema

from app import unicode
from app.web import bodies, validation_messages
from app.web.errors import Problem

MARKS = 8  # combining and invisible characters in a row; the flag of Scotland takes 7
SPACE = 1000  # characters around a text that are cut off
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
SOMEBODY_ELSE = "This page was opened by another user, or before you signed in. Nothing was done: reload the page."
Model = TypeVar("Model", bound=BaseModel)


class Nothing(BaseModel):
    """A form that is only a button."""


@dataclass(frozen=True, slots=True)
class Form(Generic[Model]):
    """`values`: as typed, "" where nothing was sent. `errors`: field to message. `data`: None if there are errors."""

    values: dict[str, str]
    errors: dict[str, str]
    data: Model | None


async def parse(request: Any, model: type[Model], *, bound: bool = True) -> Form[Model]:
    """Read the form that `model` describes; fields that it does not name are dropped.

    The hidden field `as` names the person whom the form was shown to: posted as somebody else, nothing is done (409).
    `bound=False` leaves that out, for the login form. Raises Problem 400, 409 or 415.
    """
    sent = await bodies.read_form(request)
    if bound and "as" in sent and sent["as"] != person(request.scope):
        raise Problem(409, SOMEBODY_ELSE)
    values = {name: sent.get(name, "") for name in model.model_fields}
    try:
        data = model.model_validate({name: sent[name] for name in values if name in sent})
    except ValidationError as error:
        return Form(values, {fault["field"]: fault["message"] for fault in validation_messages.of(error)}, None)
    return Form(values, {}, data)


def person(scope: Mapping[str, Any]) -> str:
    """The id of who is signed in, as the field `as` carries it; "" for nobody."""
    user = scope.get("user")
    return str(user.id) if user is not None and user.is_authenticated else ""


def longest(model: type[BaseModel]) -> dict[str, int]:
    """Field -> the characters that its text may have, for `maxlength` in the page of the form."""
    fields = model.model_fields.items()
    return {name: each.most for name, field in fields for each in field.metadata if isinstance(each, Line)}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, trimmed, `least` to `most` characters: `name: Annotated[str, Line(1, 80)]`. JSON models too."""

    least: int
    most: int

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return {"type": "string", "minLength": self.least, "maxLength": self.most}

    def check(self, text: str) -> str:
        """The text as it is kept. Errors: ValueError with the message for the field."""
        if len(text) <= 2 * self.most + SPACE:  # before anything else is done with it
            text = self.normal(text)
        if len(text) > self.most:
            raise ValueError(f"Use at most {self.most} characters.")
        if any(self.refused(character) for character in text):
            raise ValueError("This contains characters that cannot be shown.")
        if _longest_pile(text) > MARKS:
            raise ValueError("This has too many marks on one character.")
        if self.least and not any(_visible(character) for character in text):
            raise ValueError("Please fill this in.")
        if len(text) < self.least:
            raise ValueError(f"Use at least {self.least} characters.")
        return text

    def normal(self, text: str) -> str:
        return text.strip()

    def refused(self, character: str) -> bool:
        """Control characters, NUL first of all; line ends; lone surrogates; what turns the direction of text around."""
        return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in BIDI


class Lines(Line):
    """Text of several lines: as `Line`, with line ends (made "\\n") and tabs."""

    def normal(self, text: str) -> str:
        return text.replace("\r\n", "\n").replace("\r", "\n").strip()

    def refused(self, character: str) -> bool:
        return character not in "\n\t" and Line.refused(self, character)


def _longest_pile(text: str) -> int:
    longest = height = 0
    for character in text:
        marks = unicode.is_mark(character) or unicodedata.category(character) in ("Mn", "Me", "Cf")
        height = height + 1 if marks else 0
        longest = max(longest, height)
    return longest


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CMZ"
