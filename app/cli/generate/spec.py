"""What is to be generated: names and fields as typed on the command line, checked before anything is written."""

import builtins
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import edgy
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS as POSTGRESQL
from sqlalchemy.dialects.sqlite.base import SQLiteIdentifierPreparer

from app import db
from app.db.scope import Owned
from app.settings import ROOT
from app.web import features

NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
LONGEST = 24
KINDS = ("str", "text", "int", "decimal", "bool", "date", "datetime", "choice", "reference")
UNIQUE = ("str", "int")
# Names that the generated code uses for something else.
TAKEN = {
    "q", "cursor", "filters", "page", "choices", "form", "errors", "user", "notice", "path", "label", "request",
    "f", "db", "edgy", "sa",
}  # fmt: skip
ALSO_TEMPLATES = {"title", "here", "row", "icon", "tag", "field", "choice", "button", "edit", "registration", "rest"}
MODELS = {
    "Any", "Mapping", "Request", "Response", "Problem", "Refused", "Scope", "Owned", "Row", "Cursor", "Words", "Line",
    "Lines", "Day", "Moment", "Whole", "Exact", "Reference", "Changes", "Literal", "Annotated", "Feature",
    "Link", "Notice",
}  # fmt: skip
# A plural that does not tell its singular: caches, branches; news, people.
UNCLEAR = re.compile(r".*(?:s|z|ch|o|v)es|.*(?:ss|us|is)|(?:.*_)?(?:cook|mov|t|p|d|l|ser|spec)ies|.*[^s]|.*ews")


class Refused(ValueError):
    """Nothing was written; the text says why, in one line."""


@dataclass(frozen=True)
class Field:
    """`choices`: the values of a choice. `to`: the model that a reference leads to, `folder`: its feature."""

    name: str
    kind: str
    choices: tuple[str, ...] = ()
    to: str = ""
    folder: str = ""
    unique: bool = False
    optional: bool = False

    @property
    def label(self) -> str:
        words = self.name.replace("_", " ").capitalize()
        return f"{words} (UTC)" if self.kind == "datetime" else words


@dataclass(frozen=True)
class Spec:
    """A feature. `singular` and `plural` as in code: work_item, work_items."""

    plural: str
    singular: str
    fields: tuple[Field, ...]
    command: str

    @property
    def model(self) -> str:
        return camel(self.singular)


def feature(plural: str, written: Sequence[str], singular: str = "", *, new: bool = True) -> Spec:
    """`new=False`: one that is there already. Errors: Refused."""
    if new:
        new_name(plural)
    singular = singular or singular_of(plural)
    plain_name(singular, "the singular")
    if singular in TAKEN | ALSO_TEMPLATES or camel(singular) in MODELS:
        raise Refused(f"{plural}: the code uses {singular} for something else; take a longer name")
    if singular == plural:
        raise Refused(f"{plural}: the singular must be another word than the plural")
    if new and camel(singular) in db.registry.models:
        raise Refused(f"{plural}: there is a model {camel(singular)} already")
    asked = [each for each in written if each != "owner"]  # rows always belong to somebody
    fields = tuple(field(each, plural, singular) for each in asked)
    names = [each.name for each in fields]
    if not fields:
        raise Refused("say at least one field, such as title:str")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"{twice[0]}: this field is there twice")
    option = f" --singular {singular}" if singular != _guess(plural) else ""
    return Spec(plural, singular, fields, f"python -m app generate feature {plural} {' '.join(written)}{option}")


def field(written: str, plural: str, singular: str) -> Field:
    """One of `name:kind`, `name:choice(a,b)`, `name:reference(projects)`, then `:unique` and `:optional`."""
    shape = re.fullmatch(r"([^:]*):([a-z]+)(?:\(([^()]*)\))?((?::[a-z]+)*)", written)
    if not shape:
        raise Refused(f"{written}: write a field as name:type, such as due:date:optional")
    name, kind, inside, rest = shape[1], shape[2], shape[3], shape[4].split(":")[1:]
    field_name(name, singular)
    if kind not in KINDS:
        raise Refused(f"{written}: there is no type {kind}; choose one of {', '.join(KINDS)}")
    if unknown := [each for each in rest if each not in ("unique", "optional")]:
        raise Refused(f"{written}: {unknown[0]} is neither unique nor optional")
    if (inside is not None) != (kind in ("choice", "reference")):
        wanted = {"choice": "choice(open,done)", "reference": "reference(projects)"}.get(kind, kind)
        raise Refused(f"{written}: write {name}:{wanted}")
    unique, optional = "unique" in rest, "optional" in rest
    if unique and kind not in UNIQUE:
        raise Refused(f"{written}: only {' and '.join(UNIQUE)} can be unique")
    if optional and kind == "bool":
        raise Refused(f"{written}: a bool is yes or no; take a choice for a third answer")
    if kind == "choice":
        return Field(name, kind, _choices(written, inside), optional=optional)
    to, folder = reference(written, inside, plural) if kind == "reference" else ("", "")
    return Field(name, kind, (), to, folder, unique, optional)


def reference(written: str, folder: str, plural: str) -> tuple[str, str]:
    """The model of that feature, and its folder. Its rows must belong to a person."""
    if folder in ("users", "user", "owner"):
        raise Refused(f"{written}: people are no reference: each row belongs to the person who made it")
    if folder == plural:
        raise Refused(f"{written}: a feature cannot refer to itself yet")
    for name, model in db.registry.models.items():
        if issubclass(model, Owned) and model.__module__ == f"app.{folder}.models":
            return name, folder
    raise Refused(f"{written}: there is no feature {folder} whose rows belong to a person; generate it first")


def new_name(name: str) -> None:
    """For a package, a table and the first part of an address."""
    plain_name(name, "a feature")
    if re.search(r"\d", name):
        raise Refused(f"{name}: no digits: the permission {name}:read has none")
    addresses = {str(route.path).split("/")[1] for each in features.registered() for route in each.routes}
    taken = {"static", "docs", "migrations"} | addresses | {each.name for each in features.registered()}
    for folder in ("app", "templates", "tests"):
        if (ROOT / folder / name).exists() or (ROOT / folder / f"{name}.py").exists():
            raise Refused(f"{name}: {folder}/{name} is there already")
    if name in taken or name in {model.table.name for model in db.registry.models.values()}:
        raise Refused(f"{name}: an address, a feature or a table has this name already")


def field_name(name: str, singular: str) -> None:
    if name in Owned.model_fields or name == "owner":
        raise Refused(f"{name}: every row has it already")
    plain_name(name, "a field")
    if name in TAKEN or name in (singular, f"{singular}_id") or hasattr(BaseModel, name) or hasattr(edgy.Model, name):
        raise Refused(f"{name}: the code uses this name for something else; take a longer one, such as {name}_text")


def plain_name(name: str, what: str) -> None:
    """Errors: Refused for what Python or SQL has for itself, and for other signs."""
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise Refused(f"{name or what}: {what} is named with a-z, 0-9 and single _, a letter first, up to {LONGEST}")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in dir(builtins):
        raise Refused(f"{name}: Python has this word for itself")
    if name in POSTGRESQL or name in SQLiteIdentifierPreparer.reserved_words:
        raise Refused(f"{name}: SQL has this word for itself")


def singular_of(plural: str) -> str:
    """Errors: Refused for a plural that it cannot be told of."""
    if found := _guess(plural):
        return found
    raise Refused(f"{plural}: the singular cannot be told from it; say it with --singular")


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def read_models() -> None:
    """Register the features and their models."""
    import_module("app.main")


def _guess(plural: str) -> str:
    if UNCLEAR.fullmatch(plural):
        return ""
    if plural.endswith("ies"):
        return f"{plural[:-3]}y"
    return plural[:-2] if plural.endswith(("xes", "shes")) else plural[:-1]


def _choices(written: str, inside: Any) -> tuple[str, ...]:
    found = tuple(each.strip() for each in inside.split(","))
    if (
        len(found) < 2
        or len(set(found)) < len(found)
        or any(not NAME.fullmatch(each) or len(each) > 20 for each in found)
    ):
        raise Refused(f"{written}: a choice has two or more different values of a-z, 0-9 and _, up to 20 characters")
    return found
