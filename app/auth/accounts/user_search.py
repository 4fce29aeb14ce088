"""User search by words of name and address: the only writer of `user_words` and `users.search_text`.

A database finds "begins with" by an index and "contains" by reading everything. So each word of the name and of the
address, folded, is a row, and what somebody searches for is taken apart in the same way.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth.models import user_rows, word_rows
from app.web.email_address import readable

LONGEST = 64
COMMON_WORD_ROWS = (
    10_000  # rows: up to here all people of a word are sorted in 20 ms; beyond, one looks at people in their order
)
SORTED_FACTOR = 10  # times as many where the list is sorted by the words: all Zoes come last, behind everybody else
MOST_WORDS = 5  # of a search; more narrow nothing down
HIGHEST_CHARACTER = "\U0010ffff"  # sorts after every letter, and is none


def search_text(name: str, email_key: str) -> str:
    """What people are sorted by, name first: "Zoë" stands beside "zoë". Some letters fold to many, so it is cut."""
    return db.case_folded(f"{name} {readable(email_key)}")[:512]


def words_of(name: str, email_key: str) -> list[str]:
    """What a person is found by: the address in both spellings of its domain."""
    return words(f"{name} {readable(email_key)} {email_key}")


def words(text: str) -> list[str]:
    """Letters, digits and the marks on them, in the order they come; an address falls apart at its dots and its "@"."""
    apart = "".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in db.case_folded(text))
    return list(dict.fromkeys(word[:LONGEST] for word in apart.split()))


async def index(tx: Any, user_id: UUID, name: str, email_key: str) -> None:
    """Have the person found by this name and address, and no longer by the old ones, in the caller's transaction."""
    await tx.execute(sa.delete(word_rows).where(word_rows.c.user_id == user_id))
    if found := words_of(name, email_key):
        await tx.execute(sa.insert(word_rows).values([{"word": word, "user_id": user_id} for word in found]))


@dataclass(frozen=True, slots=True)
class Matching:
    """`which`: conditions on `user_rows`. `few`: so few fit that they are to be found along them and sorted then."""

    which: list[Any]
    few: bool


async def matching(text: str, *, sorted_by_words: bool = False) -> Matching:
    """Each word of the text begins a word of theirs; nobody matches a text without words. One query.

    The rare words together lead to the people; common ones are looked up for one person after the other. That is soon
    done where people who match are spread over the list, which is not so when it is sorted by these very words.
    """
    asked = words(text)[:MOST_WORDS]
    if not asked:
        return Matching([sa.false()], few=True)
    common = COMMON_WORD_ROWS * (SORTED_FACTOR if sorted_by_words else 1)
    counts = await db.fetch_one(sa.select(*(_count(word, common) for word in asked)))
    rare = [word for word, count in zip(asked, counts, strict=True) if count < common]
    which = [_has(word) for word in asked if word not in rare]
    if rare:
        theirs = (sa.select(word_rows.c.user_id).where(_begins(word)) for word in rare)
        which.append(user_rows.c.id.in_(sa.intersect(*theirs)))
    return Matching(which, few=bool(rare))


def _count(word: str, most: int) -> Any:
    some = sa.select(word_rows.c.word).where(_begins(word)).limit(most).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()


def _has(word: str) -> Any:
    return sa.exists().where(word_rows.c.user_id == user_rows.c.id, _begins(word)).correlate(user_rows)


def _begins(word: str) -> Any:
    return word_rows.c.word.between(word, word + HIGHEST_CHARACTER)
