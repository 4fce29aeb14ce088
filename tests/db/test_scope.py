"""Owner scope: no statement of a `Scope` reads, changes or deletes a row of another person."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import edgy
import pytest
import sqlalchemy as sa

from app import db
from app.db.scope import Owned, Refused, Scope, of_everybody
from tests.support import statements

pytestmark = pytest.mark.anyio
f: Any = edgy.fields
registry = edgy.Registry(database=db.database)  # of its own: these tables are no part of the application


class Shelf(Owned):
    name = f.CharField(max_length=50)

    SEARCHED = ("name",)

    class Meta:
        registry = registry
        tablename = "shelves"


class Book(Owned):
    title = f.CharField(max_length=50)
    shelf = f.ForeignKey("Shelf", on_delete=edgy.CASCADE, null=True, related_name=False)

    SEARCHED = ("title",)

    class Meta:
        registry = registry
        tablename = "books"
        constraints = [sa.UniqueConstraint("owner_id", "title", name="uq_books_title")]


MINE, THEIRS = Scope(UUID(int=1)), Scope(UUID(int=2))


@pytest.fixture(autouse=True)
async def tables(url: str, anyio_backend: str) -> AsyncIterator[None]:
    await db.connect()
    registry.database = db.database
    for model in (Shelf, Book):
        model.database = db.database
    registry.metadata_by_url.process()
    for model in (Shelf, Book):
        await db.execute(sa.schema.CreateTable(model.table))
    yield
    await db.disconnect()


async def everything() -> list[tuple[Any, ...]]:
    return [tuple(row) for model in (Shelf, Book) for row in await db.fetch_all(sa.select(model.table))]


async def listed(scope: Scope, **where: Any) -> list[str]:
    return [row.title for row in await scope.newest(Book, **where).behind(None, 10)]


Use = Callable[[Any, Any], Awaitable[Any]]
# What MINE does with a book and a shelf, and what comes back for those of THEIRS.
USES: dict[str, tuple[Use, Any]] = {
    "rows": (lambda book, shelf: MINE.rows(Book).filter(id=book.id).count(), 0),
    "get": (lambda book, shelf: MINE.get(Book, book.id), None),
    "get with its reference": (lambda book, shelf: MINE.get(Book, book.id, "shelf"), None),
    "newest": (lambda book, shelf: MINE.newest(Book).behind(None, 10), []),
    "newest, from a row on": (lambda book, shelf: MINE.newest(Book).behind(UUID(int=2**128 - 1), 10), []),
    "newest, searched": (lambda book, shelf: MINE.newest(Book, words=book.title).behind(None, 10), []),
    "newest, of a shelf": (lambda book, shelf: MINE.newest(Book, "shelf", shelf=shelf.id).behind(None, 10), []),
    "labels": (lambda book, shelf: MINE.labels(Book), {}),
    "change": (lambda book, shelf: MINE.change(Book, book.id, title="Mine now"), None),
    "delete": (lambda book, shelf: MINE.delete(Book, book.id), False),
}


async def book_of(scope: Scope) -> tuple[Any, Any]:
    shelf = await scope.create(Shelf, name="Upper")
    return await scope.create(Book, title="Emma", shelf=shelf.id), shelf


# v5.0.0-8.2.2
@pytest.mark.parametrize("use", USES)
async def test_rows_of_another_person_are_as_if_they_were_not_there(use: str) -> None:
    book, shelf = await book_of(THEIRS)
    before = await everything()
    do, nothing = USES[use]

    with statements.sent() as seen:
        found = await do(book, shelf)

    assert found == nothing
    assert await everything() == before
    assert [sql for sql in about_rows(seen) if "owner_id" not in where_of(sql)] == []
    assert about_rows(seen)


@pytest.mark.parametrize("use", USES)
async def test_the_same_does_something_with_rows_of_ones_own(use: str) -> None:
    """The test of the test."""
    book, shelf = await book_of(MINE)
    do, nothing = USES[use]

    assert await do(book, shelf) != nothing


async def test_new_row_belongs_to_the_person_of_the_scope() -> None:
    await MINE.create(Book, title="Emma")

    assert (await listed(MINE), await listed(THEIRS)) == (["Emma"], [])


async def test_shelf_of_another_person_cannot_be_named() -> None:
    theirs, (book, _) = await THEIRS.create(Shelf, name="Theirs"), await book_of(MINE)
    before = await everything()

    for shelf in (theirs.id, db.uuid7()):
        for done in (
            await MINE.create(Book, title="Persuasion", shelf=shelf),
            await MINE.change(Book, book.id, shelf=shelf),
        ):
            assert isinstance(done, Refused)
            assert set(done.errors) == {"shelf"}

    assert await everything() == before


# v5.0.0-15.3.3
@pytest.mark.parametrize("name", ["id", "owner_id", "search_text", "created_at", "updated_at"])
async def test_what_the_scope_sets_cannot_be_given(name: str) -> None:
    """A model of a form that was extended carelessly must not give rows away."""
    book, _ = await book_of(MINE)
    before = await everything()

    given = {name: THEIRS.owner_id}
    with pytest.raises(ValueError, match=name):
        await MINE.create(Book, title="Persuasion", **given)
    with pytest.raises(ValueError, match=name):
        await MINE.change(Book, book.id, **given)

    assert await everything() == before


async def test_unique_value_is_one_of_ones_own() -> None:
    await THEIRS.create(Book, title="Emma")

    assert not isinstance(await MINE.create(Book, title="Emma"), Refused)
    assert await MINE.create(Book, title="Emma") == Refused({"title": "You have one with this value already."})


async def test_model_has_no_query_without_a_scope() -> None:
    for use in (
        lambda: Book.query.all(),
        lambda: Book.query.filter(owner_id=MINE.owner_id),
        lambda: Book.query.count(),
    ):
        with pytest.raises(RuntimeError, match="start from a scope"):
            await use()


async def test_administrators_see_the_rows_of_all() -> None:
    await book_of(MINE)
    await book_of(THEIRS)

    assert len(await of_everybody(Book).behind(None, 10)) == 2


@pytest.mark.parametrize("words", ["%", "_", "\\", "E_ma", "%mma"])
async def test_search_takes_its_words_as_they_are(words: str) -> None:
    await MINE.create(Book, title="Emma")

    assert await listed(MINE, words=words) == []


def about_rows(seen: list[statements.Sent]) -> list[str]:
    return [sql for sql in statements.spoken(seen) if re.search(r"\b(books|shelves)\b", sql)]


def where_of(sql: str) -> str:
    return sql.partition("WHERE")[2]
