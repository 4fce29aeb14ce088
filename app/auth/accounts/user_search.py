"""User search by words of name and address: the only writer of `user_words` and `users.search_text`.

A database finds "begins with" by an index and "contains" only by a full scan. So each word of the name and the address
is stored as a case-folded row, and a search text is split in the same way.
"""

import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth.models import user_rows, word_rows
from app.web.email_address import readable

LONGEST = 64
# A word with more rows is common. Up to here, all users of a word are sorted in 20 ms; beyond that, it is faster to
# read users in the order of the list and test each.
COMMON_WORD_ROWS = 10_000
SORTED_FACTOR = 10  # multiplies it if the list is sorted by the words: all matches for "Zoe" are at the end then
MOST_WORDS = 5  # words of a search that count
HIGHEST_CHARACTER = "\U0010ffff"  # sorts after every other character, and is none itself


def search_text(name: str, email_key: str) -> str:
    """The sort key of a user, name first, case-folded. At most 512 characters: some characters fold to several."""
    return db.case_folded(f"{name} {readable(email_key)}")[:512]


def words_of(name: str, email_key: str) -> list[str]:
    """The words that find a user: name, and address in both spellings of its domain."""
    return words(f"{name} {readable(email_key)} {email_key}")


def words(text: str) -> list[str]:
    """The distinct case-folded words of a text, in order. An address is split at its dots and its "@"."""
    apart = "".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in db.case_folded(text))
    return list(dict.fromkeys(word[:LONGEST] for word in apart.split()))


async def index(tx: Any, user_id: UUID, name: str, email_key: str) -> None:
    """Index the user under this name and address instead of the old ones, in the caller's transaction."""
    await tx.execute(sa.delete(word_rows).where(word_rows.c.user_id == user_id))
    if found := words_of(name, email_key):
        await tx.execute(sa.insert(word_rows).values([{"word": word, "user_id": user_id} for word in found]))


@dataclass(frozen=True, slots=True)
class Matching:
    """How many words are searched for, rare and common ones. `values`: the parameters of `which` that hold them.

    Without a word it matches nobody.
    """

    rare: int = 0
    common: int = 0
    values: dict[str, str] = field(default_factory=dict)

    @property
    def which(self) -> list[Any]:
        """Conditions on `user_rows`."""
        return conditions(self.rare, self.common)

    @property
    def few(self) -> bool:
        """Few rows match: find them by the words first and sort afterwards."""
        return bool(self.rare) or not self.common


async def matching(text: str, *, sorted_by_words: bool = False) -> Matching:
    """Users with a word that starts with each word of the text; a text without words matches nobody. One query.

    Rare words are looked up in the index; common words are tested for one user after the other. That is fast if the
    matches are spread over the list, which is not the case when the list is sorted by these words.
    """
    searched = words(text)[:MOST_WORDS]
    if not searched:
        return Matching()
    most = COMMON_WORD_ROWS * (SORTED_FACTOR if sorted_by_words else 1)
    counts = await db.fetch_one(_counts(len(searched), most), _values(searched))
    rare = [word for word, count in zip(searched, counts, strict=True) if count < most]
    common = [word for word in searched if word not in rare]
    return Matching(len(rare), len(common), _values([*rare, *common]))


@lru_cache(64)
def conditions(rare: int, common: int) -> list[Any]:
    """As `Matching.which`; its parameters are numbered, the rare words first."""
    which = [_has(number) for number in range(rare, rare + common)]
    if not (rare or common):
        which.append(sa.false())
    if rare:
        theirs = (sa.select(word_rows.c.user_id).where(_begins(number)) for number in range(rare))
        which.append(user_rows.c.id.in_(sa.intersect(*theirs)))
    return which


@lru_cache(64)
def _counts(words: int, most: int) -> Any:
    """How many rows each word has, up to `most`."""
    some = (sa.select(word_rows.c.word).where(_begins(number)).limit(most).subquery() for number in range(words))
    return sa.select(*(sa.select(sa.func.count()).select_from(each).scalar_subquery() for each in some))


def _values(words: list[str]) -> dict[str, str]:
    first = {f"from{number}": word for number, word in enumerate(words)}
    return first | {f"to{number}": word + HIGHEST_CHARACTER for number, word in enumerate(words)}


def _has(number: int) -> Any:
    return sa.exists().where(word_rows.c.user_id == user_rows.c.id, _begins(number)).correlate(user_rows)


def _begins(number: int) -> Any:
    return word_rows.c.word.between(sa.bindparam(f"from{number}"), sa.bindparam(f"to{number}"))
