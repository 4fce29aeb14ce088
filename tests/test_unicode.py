"""Text is bounded before it is normalised. The texts here are long and plain; what is counted are the calls."""

import re
import unicodedata
from typing import Any

import pytest

from app import db, unicode
from app.auth import passwords
from app.auth.accounts import user_search
from app.notes import store
from app.web import email_address
from tests.support.source import sources
from tests.support.visitor import Visitor

LONG = "é" * 70_000  # one code point each, as they are kept
SAMPLES = [
    "Zoë", "Zoe\u0308", "Nguyễn Thị Ánh", "ด้วยความเคารพ", "བསྒྲུབས", "각각", "שָׁלוֹם", "नमस्ते", "ﬁancée", "ｶﾞｷﾞ",
    "e" + "\u0301\u0323" * 15,
]  # fmt: skip


@pytest.fixture
def normalised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of every text that is normalised from here on."""
    lengths: list[int] = []
    stock = unicodedata.normalize

    def counted(form: Any, text: str) -> str:
        lengths.append(len(text))
        return stock(form, text)

    monkeypatch.setattr(unicodedata, "normalize", counted)
    return lengths


def longest_run(text: str) -> int:
    classes = "".join("m" if unicodedata.combining(each) else "-" for each in unicodedata.normalize("NFKD", text))
    return max(map(len, re.findall("m+", classes)), default=0)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@pytest.mark.parametrize("text", SAMPLES)
def test_text_of_any_language_is_what_the_standard_says(text: str, form: Any) -> None:
    assert unicode.normalised(form, text, 100) == unicodedata.normalize(form, text)


def test_what_falls_apart_into_marks_is_all_of_unicode_that_does() -> None:
    def begins_with_a_mark(character: str) -> bool:
        return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0

    every = map(chr, [*range(0xD800), *range(0xE000, 0x110000)])

    assert {
        each for each in every if begins_with_a_mark(each) and not unicodedata.combining(each)
    } == unicode.FALL_APART


@pytest.mark.parametrize("mark", ["\u0301", "\u0323", "\u302e", "\U0001d165", *sorted(unicode.FALL_APART)])
def test_run_of_marks_is_cut_whatever_their_category(mark: str) -> None:
    text = "e" + mark * 90

    assert longest_run(text) >= 90
    assert longest_run(unicode.normalised("NFC", text, 100) or "") <= 2 * unicode.MARKS


# v5.0.0-15.2.2
async def test_nothing_is_normalised_before_its_length_is_looked_at(normalised: list[int]) -> None:
    assert (await passwords.verify(LONG, None)).ok is False
    assert passwords.normalise(LONG) is None
    assert "at most" in (passwords.validation_error(LONG) or "")
    with pytest.raises(ValueError, match="too long"):
        await passwords.hash(LONG)
    assert email_address.email_key(LONG) == ""
    assert email_address.email_key(f"a@{LONG}") == ""
    with pytest.raises(ValueError, match="at most"):
        db.case_folded(LONG)
    with pytest.raises(ValueError, match="at most"):
        user_search.words(LONG)
    assert unicode.normalised("NFC", "é" * 11, 10) is None

    assert normalised == []


async def test_password_is_compared_with_the_beginning_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other fields of a registration are not judged yet when the password is."""
    taken_apart: list[int] = []
    stock = re.split

    def counted(pattern: str, text: str) -> list[str]:
        taken_apart.append(len(text))
        return stock(pattern, text)

    monkeypatch.setattr(passwords.re, "split", counted)

    assert (
        passwords.validation_error("correct horse battery", about=("word " * 10_000, "a@example.com " * 10_000)) is None
    )
    assert max(taken_apart) <= passwords.LONGEST_KNOWN


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/register", {"name": LONG, "email": LONG, "password": LONG}),
        ("/login", {"email": "a@example.com", "password": LONG}),
        ("/login", {"email": LONG, "password": "x"}),
        ("/forgot-password", {"email": LONG}),
        ("/verify-email/resend", {"email": LONG}),
        ("/login/code", {"code": LONG}),
    ],
)
async def test_no_form_of_an_anonymous_client_gets_further(
    client: Visitor, normalised: list[int], path: str, fields: dict[str, str]
) -> None:
    short = {name: text[:4000] for name, text in fields.items()}  # what an anonymous client may send, and too long

    for sent in (fields, short):
        answer = await client.submit(path, sent)

        assert answer.status_code in (303, 413, 422)
    assert max(normalised, default=0) <= passwords.LONGEST_TRIED


# notes:
async def test_search_for_marks_alone_finds_nothing_and_is_no_error(database: str) -> None:
    marks = "\u0301" * 200

    page = await store.listing(db.uuid7(), store.NoteFilters(q=marks))
    which = await user_search.matching(marks)

    assert page.items == []
    assert which.few


# /notes


def test_one_module_normalises() -> None:
    """Every call that normalises text has the bound."""
    normalising = {path for path, text in sources().items() if re.search(r"\bnormalize\b", text)}

    assert {path for path in normalising if not path.startswith("app/migrations/")} == {"app/unicode.py"}
