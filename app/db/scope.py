"""Owner scope: the rows of one person, and no other way to them.

A model that is `Owned` has no `Model.query`: each query starts from a `Scope`, which names the owner in every
statement. So a query that forgets whose rows it reads does not run at all. `Model.of_everybody` is for administrators.
Source: v5.0.0-8.2.2 (objects need explicit permission), OWASP API1:2023 (broken object level authorization).
"""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import edgy
import sqlalchemy as sa

from app import db
from app.db.owned_rows import OwnedRows

f: Any = edgy.fields

SET_HERE = frozenset({"id", "owner_id", "search_text", "created_at", "updated_at"})
OPTIONS = 200  # rows that a form offers for a reference


class _Refusing(edgy.Manager):
    def get_queryset(self) -> Any:
        name = self.owner.__name__ if self.owner else "this model"
        raise RuntimeError(f"{name} belongs to people: start from a scope, as in Scope(user.id).rows({name})")


class Owned(edgy.StrictModel):
    """A model whose rows belong to one person each.

    `SEARCHED`: the text fields that `search_text` is made of (see `db.case_folded`); the first one is the row's label.
    Its Meta needs a registry, a table name, an index on `owner_id` and `id`, and `belongs_to_a_user(table)`.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    owner_id = f.UUIDField()
    search_text = f.TextField(default="")
    created_at = db.timestamp(default=db.utcnow)
    updated_at = db.timestamp(default=db.utcnow)

    SEARCHED: ClassVar[tuple[str, ...]] = ()
    query: ClassVar[Any] = _Refusing()
    of_everybody: ClassVar[Any] = edgy.Manager()

    class Meta:
        abstract = True

    @property
    def label(self) -> str:
        return str(getattr(self, self.SEARCHED[0])) if self.SEARCHED else f"{self.created_at:%Y-%m-%d %H:%M:%S}"


def belongs_to_a_user(table: str) -> sa.ForeignKeyConstraint:
    """The rows go with their owner's account."""
    return sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=f"fk_{table}_owner_id", ondelete="CASCADE")


class ExportedRows(OwnedRows):
    """The data export of an `Owned` model. A reference may lead to a feature that is imported later, so its table is
    built when somebody asks for it.
    """

    def __init__(self, model: Any) -> None:
        object.__setattr__(self, "_model", model)

    @property
    def table(self) -> Any:
        return self._model.table  # type: ignore[attr-defined]

    @property
    def owner(self) -> Any:
        return self.table.c.owner_id

    @property
    def left_out(self) -> frozenset[str]:
        return frozenset({"owner_id", "search_text"})


@dataclass(frozen=True, slots=True)
class Refused:
    """Why values were not stored: field -> message."""

    errors: dict[str, str]


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows of one person. Errors of every method: `db.Unavailable`.

    A model may be given by its name, so that features need not import each other.
    """

    owner_id: UUID

    def rows(self, model: Any) -> Any:
        """Edgy's queryset of this person's rows, for queries of one's own."""
        model = db.registry.get_model(model) if isinstance(model, str) else model
        return model.of_everybody.filter(owner_id=self.owner_id)

    async def get(self, model: Any, row_id: UUID, *related: str) -> Any:
        """The row, or None: missing and another person's are the same. `related`: references to load with it."""
        rows = self.rows(model).filter(id=row_id)
        with db.translate_errors():
            return await (rows.select_related(*related) if related else rows).first()

    def newest(self, model: Any, *related: str, words: str = "", **where: Any) -> "Rows":
        """This person's rows, newest first. `words`: text to look for, case ignored. `where`: field -> value."""
        if words:
            where["search_text__contains"] = db.case_folded(words)
        rows = self.rows(model).filter(**where) if where else self.rows(model)
        return Rows(rows.select_related(*related) if related else rows)

    async def labels(self, model: Any) -> dict[str, str]:
        """Id -> label of the newest OPTIONS rows, for a form to choose from."""
        with db.translate_errors():
            return {str(row.id): row.label for row in await self.rows(model).order_by("-id").limit(OPTIONS)}

    async def create(self, model: Any, **values: Any) -> Any:
        """The new row, or Refused. Errors: ValueError for a field of SET_HERE: no form may give a row away."""
        _check(values)
        if refused := await self._refused_references(model, values):
            return refused
        try:
            with db.translate_errors():
                text = _search_text(model, values)
                return await model.of_everybody.create(owner_id=self.owner_id, search_text=text, **values)
        except sa.exc.IntegrityError as error:
            return _refused(model, error)

    async def change(self, model: Any, row_id: UUID, **values: Any) -> Any:
        """The row with these values replaced, Refused, or None when there is none. Errors: as `create`."""
        _check(values)
        if refused := await self._refused_references(model, values):
            return refused
        rows = self.rows(model).filter(id=row_id)
        try:
            with db.translate_errors():
                async with db.database.transaction():
                    before = await rows.select_for_update().first()
                    if before is None:
                        return None
                    stored = {name: getattr(before, name) for name in model.SEARCHED}
                    text = _search_text(model, stored | values)
                    await rows.update(**values, search_text=text, updated_at=db.utcnow())
                    return await self.get(model, row_id)
        except sa.exc.IntegrityError as error:
            return _refused(model, error)

    async def delete(self, model: Any, row_id: UUID) -> bool:
        """Whether this person had such a row. One statement."""
        with db.translate_errors():
            return bool(await self.rows(model).filter(id=row_id).delete())

    async def _refused_references(self, model: Any, values: dict[str, Any]) -> Refused | None:
        """A reference may lead only to rows of the same owner: an id of another user is refused."""
        wrong = {}
        for name, to in _references(model).items():
            if values.get(name) is not None and await self.get(to, values[name]) is None:
                wrong[name] = "Choose one of the listed values."
        return Refused(wrong) if wrong else None


@dataclass(frozen=True, slots=True)
class Rows:
    """A queryset that is read page by page, newest first."""

    queryset: Any

    async def behind(self, row_id: UUID | None, limit: int) -> list[Any]:
        """Up to `limit` rows behind the one with that id, from the newest on for None."""
        rows = self.queryset.filter(id__lt=row_id) if row_id else self.queryset
        with db.translate_errors():
            return list(await rows.order_by("-id").limit(limit))


def of_everybody(model: Any) -> Rows:
    """The rows of all people. For administrators: the permission of the route decides who reads them."""
    return Rows(model.of_everybody)


def _check(values: dict[str, Any]) -> None:
    if set_here := sorted(SET_HERE & values.keys()):
        raise ValueError(f"{', '.join(set_here)}: the scope sets this itself (v5.0.0-15.3.3)")


def _search_text(model: Any, values: dict[str, Any]) -> str:
    return db.case_folded("\n".join(str(values.get(name) or "") for name in model.SEARCHED))


def _references(model: Any) -> dict[str, Any]:
    return {name: model.meta.fields[name].target for name in model.meta.foreign_key_fields}


def _refused(model: Any, error: sa.exc.IntegrityError) -> Refused:
    """Which field the database refused. Errors: `error` itself, if it is about none of them."""
    said = str(error.orig)
    for constraint in model.table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            name = list(constraint.columns)[-1].name
            if f'"{constraint.name}"' in said or said.endswith(f"{model.table.name}.{name}"):
                return Refused({name: "You have one with this value already."})
    references = _references(model)
    if references and "foreign key" in said.lower():  # deleted a moment ago
        return Refused(dict.fromkeys(references, "Choose one of the listed values."))
    raise error
