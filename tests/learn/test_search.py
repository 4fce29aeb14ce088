"""The search of the tutorial: a plain GET form over every section, bounded, and safe for anything that is typed."""

import re

import pytest

from app.learn import chapters, pattern_index, search
from tests.support.visitor import Visitor


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("rotation", "/learn/rotation-and-reuse"),
        ("Argon2", "/learn/build/a-table-and-a-password"),
        ("invalid_grant", "/learn/problems"),
        ("token-create", "/learn/patterns/token-create"),
        ("localstorage cookie", "/learn/comparisons"),
        ("generat confirm", "/learn/rotation-and-reuse"),
    ],
)
def test_section_is_found_by_its_words_and_by_how_they_begin(query: str, address: str) -> None:
    assert address in [found.section.address.partition("#")[0] for found in search.find(query)]


def test_page_with_the_word_in_its_title_comes_first() -> None:
    assert search.find("glossary")[0].section.title == "Glossary"
    assert search.find("refresh")[0].section.title == "Refresh"


@pytest.mark.parametrize("query", ["", "   ", "...", "no page has qwertzuiop", "(?:"])
def test_nothing_is_found(query: str) -> None:
    assert search.find(query) == []


def test_query_and_results_are_bounded() -> None:
    assert len(search.words("word " * 1000)) == search.MOST_WORDS
    assert len(search.find("the")) == search.MOST_RESULTS


def test_every_address_leads_to_a_heading_that_exists() -> None:
    pages = {chapters.address(page): page for page in [*chapters.chapters(), *chapters.steps(), *chapters.reference()]}

    for section in search.sections():
        address, _, anchor = section.address.partition("#")
        if address.startswith("/learn/patterns/"):
            assert section.title in pattern_index.PATTERNS
        elif anchor:
            assert anchor in pages[address].text.sections, section.address


@pytest.mark.anyio
async def test_form_works_without_script_and_shows_what_was_typed_as_text(client: Visitor) -> None:
    page = await client.visit("/learn/search?q=%3Cscript%3Ealert(1)%3C/script%3E+rotation")

    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text
    assert re.search(
        r'<form[^>]* action="/learn/search"[^>]* method="get"|method="get"[^>]* action="/learn/search"', page.text
    )
    found = await client.visit("/learn/search?q=leeway")
    assert "<mark>leeway</mark>" in found.text.lower()
    for address in ("/learn", "/learn/keys", "/learn/build/refresh"):
        assert 'action="/learn/search"' in (await client.visit(address)).text
