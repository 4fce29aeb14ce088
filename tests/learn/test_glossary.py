"""The glossary has each term once, and every term and every RFC in it is used elsewhere in the project."""

import re

import pytest

from app.learn import chapters, sources

GLOSSARY = chapters.DOCS / "glossary.md"
ROW = re.compile(r"^\| \*\*(.+?)\*\* \| (.+?) \| (.+?) \| \[(.+?)\]\((.+?)\) \|$", re.MULTILINE)
ROWS = ROW.findall(GLOSSARY.read_text())
RFC = re.compile(r"RFC \d+(?:bis)?")


def used(term: str, text: str) -> bool:
    return bool(re.search(rf"\b{re.escape(term)}".replace(r"\ ", r"[\s-]+"), text, re.IGNORECASE))


def test_each_term_stands_once_in_alphabetical_order() -> None:
    terms = [row[0].lower() for row in ROWS]

    assert terms == sorted(set(terms))
    assert len(terms) == GLOSSARY.read_text().count("\n| ") - 1  # every row but the header was read
    assert len(terms) > 50


@pytest.mark.parametrize(("term", "meaning", "source", "title", "file"), ROWS, ids=[row[0] for row in ROWS])
def test_term_is_used_in_the_chapter_that_it_links_to(
    term: str, meaning: str, source: str, title: str, file: str
) -> None:
    chapter = (chapters.DOCS / file).read_text()

    assert used(term, chapter)
    assert chapter.startswith(f"# {title}\n")
    assert meaning.endswith(".")
    assert source


def test_every_rfc_is_cited_by_a_chapter_or_the_code_too() -> None:
    cited = {
        rfc
        for name in sources.names()
        if re.match(r"docs/\d\d-|app/", name) and not name.startswith("app/learn/")
        for rfc in RFC.findall(sources.text(name))
    }

    assert set(RFC.findall(GLOSSARY.read_text())) <= cited
