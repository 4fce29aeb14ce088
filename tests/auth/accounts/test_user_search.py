"""Words that people are found by: the same for what is kept and for what is asked."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth.accounts import user_admin, user_search
from app.auth.models import user_rows
from tests.support.people import make_user

pytestmark = [pytest.mark.database, pytest.mark.anyio]


async def found(text: str) -> set[str]:
    found = await user_search.matching(text)
    rows = await db.fetch_all(sa.select(user_rows.c.email).where(*found.which), found.values)
    return {row.email for row in rows}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zoë O'Neil", ["zoë", "o", "neil"]),
        ("STRASSE straße", ["strasse"]),
        ("joan.doe+x@mail.example.com", ["joan", "doe", "x", "mail", "example", "com"]),
        ("\ufb01ne \uff11\uff12", ["fine", "12"]),
        ("नमस्ते", ["नमस्ते"]),
        ("  <b>=1+1</b>  ", ["b", "1"]),
        ("%_*?\\'\"", []),
        ("x" * 100, ["x" * 64]),
        ("", []),
    ],
)
def test_text_falls_apart_into_words(text: str, words: list[str]) -> None:
    assert user_search.words(text) == words


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("zo", {"zoe@example.org"}),
        ("ZOË", {"zoe@example.org"}),
        ("zuse zoe", {"zoe@example.org"}),
        ("zu ad", set()),
        ("Zoe@Example", {"zoe@example.org"}),
        ("example", {"zoe@example.org", "ada.l@example.com"}),
        ("xample", set()),
        ("ada.l@example.com", {"ada.l@example.com"}),
        ("%", set()),
        ("a'b", set()),
    ],
)
async def test_each_searched_word_starts_a_word_of_the_user(text: str, who: set[str]) -> None:
    """v5.0.0-1.2.4: "%" and quotes are text."""
    await make_user(name="Zoë Zuse", email="zoe@example.org")
    await make_user(name="Ada Lace", email="ada.l@example.com")

    assert await found(text) == who


@pytest.mark.usefixtures("database")
async def test_common_words_find_the_same_people_as_rare_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        await make_user(name=f"Ann Berg{number}", email=f"a{number}@example.com")
    rare = [await found(text) for text in ("ann", "ann berg", "ann berg3", "berg3 ann")]

    monkeypatch.setattr(user_search, "COMMON_WORD_ROWS", 3)

    assert [await found(text) for text in ("ann", "ann berg", "ann berg3", "berg3 ann")] == rare
    assert [len(each) for each in rare] == [6, 6, 1, 1]


@pytest.mark.usefixtures("database")
async def test_words_are_common_later_in_a_list_that_is_sorted_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who walks through a million people by name meets those called Zoe last: found first, they are soon sorted."""
    for number in range(20):
        await make_user(name="Zoe", email=f"a{number}@example.com")

    seen = []
    for common in (1, 2, 3, 21):
        monkeypatch.setattr(user_search, "COMMON_WORD_ROWS", common)
        walked, sorted_by_name = (
            await user_search.matching("zoe"),
            await user_search.matching("zoe", sorted_by_words=True),
        )
        seen.append((walked.few, sorted_by_name.few))

    assert seen == [(False, False), (False, False), (False, True), (True, True)]


@pytest.mark.usefixtures("database")
async def test_new_name_is_found_and_the_old_one_is_not() -> None:
    admin, person = await make_user(role="admin", name="Boss"), await make_user(name="Old Name")

    await user_admin.change(person.id, admin.id, name="Fresh Label")

    assert await found("old") == set()
    assert await found("fresh label") == {person.email}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["\ufdfa" * 80, "\U0001f469\u200d\U0001f680" * 20, "x" * 80, "a b c d e f g h " * 5])
async def test_name_of_any_kind_fits(name: str) -> None:
    """One character may fold to eighteen."""
    person = await make_user(name=name)

    assert await found(person.email) == {person.email}


@pytest.mark.usefixtures("database")
async def test_words_go_with_their_account() -> None:
    person: Any = await make_user()

    await db.execute(sa.delete(user_rows).where(user_rows.c.id == person.id))

    assert await db.fetch_all(sa.select(user_search.word_rows)) == []
