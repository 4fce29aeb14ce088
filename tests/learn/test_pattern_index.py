"""Every pattern has code, tests and a chapter, and the table in docs/patterns.md is up to date."""

import pytest

from app.learn import pattern_index
from tests.learn import refresh


@pytest.mark.parametrize(
    "collect", [pattern_index.places, pattern_index.tests, pattern_index.explained], ids=["code", "test", "chapter"]
)
def test_every_pattern_has_code_test_and_chapter_and_nothing_else_is_claimed(collect: object) -> None:
    assert callable(collect)

    assert set(collect()) == set(pattern_index.PATTERNS)


def test_each_pattern_is_explained_in_one_chapter() -> None:
    assert {name: len(found) for name, found in pattern_index.explained().items()} == dict.fromkeys(
        pattern_index.PATTERNS, 1
    )


def test_every_adapted_pattern_says_why_and_what_is_here_instead() -> None:
    assert all(bool(pattern.fails) == bool(pattern.here) for pattern in pattern_index.PATTERNS.values())


def test_table_is_up_to_date() -> None:
    text = refresh.PATTERNS.read_text()

    assert pattern_index.written_into(text) == text, "make docs"
    assert all(f"| [`{name}`](" in text for name in pattern_index.PATTERNS)
