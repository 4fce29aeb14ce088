"""Every pattern is reachable from the course, the tour and the reference, and its page shows what was recorded."""

import re
from html import unescape
from typing import Any

import pytest

from app.learn import pattern_index, pattern_pages
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
each_pattern = pytest.mark.parametrize("name", pattern_index.PATTERNS)


def links(html: str) -> set[str]:
    return set(re.findall(r'href="([^"]*)"', html))


@each_pattern
async def test_pattern_is_reachable_from_the_course_the_tour_and_the_reference(client: Visitor, name: str) -> None:
    page, address = pattern_pages.pages()[name], f"/learn/patterns/{name}"

    assert address in links(page.step.text.html)
    assert address in links(page.chapter.text.html)
    assert address in links((await client.visit("/learn/patterns")).text)
    back = links((await client.visit(address)).text)
    assert {f"/learn/build/{page.step.slug}", f"/learn/{page.chapter.slug}", f"/learn/patterns#{name}"} <= back


@each_pattern
def test_step_leads_from_its_end_to_the_chapter_of_each_of_its_patterns(name: str) -> None:
    page = pattern_pages.pages()[name]
    beyond = page.step.path.read_text().partition("## What Lanyard adds")[2]

    assert f"](../{page.chapter.path.name})" in beyond


@each_pattern
async def test_page_shows_the_printed_form_what_it_does_and_the_right_one(client: Visitor, name: str) -> None:
    page = pattern_pages.pages()[name]

    answer = await client.visit(f"/learn/patterns/{name}")

    text = unescape(re.sub(r"<[^>]+>", "", answer.text))
    assert answer.status_code == 200
    assert (page.right is None) is (page.pattern.as_printed or name == "learn-more")
    for form in (page.printed, page.right):
        if form:
            assert form.code.strip() in text
            assert form.output in text
            assert form.command in text
    for version, output in page.versions:
        assert f"ravyn {version}" in text
        assert output in text


def test_versions_that_differ_are_told_apart() -> None:
    """Issuer and audience have no effect before 0.4.3."""
    versions = dict(pattern_pages.pages()["practice-all-claims"].versions)

    assert "another audience: refused" in pattern_pages.pages()["practice-all-claims"].printed.output  # type: ignore[union-attr]
    assert "another audience: 41" in versions["0.4.2"]


async def test_every_pattern_is_one_click_from_its_neighbours(client: Visitor) -> None:
    names = list(pattern_index.PATTERNS)

    for at, name in enumerate(names):
        answer: Any = links((await client.visit(f"/learn/patterns/{name}")).text)
        assert {f"/learn/patterns/{each}" for each in (names[max(at - 1, 0)], names[min(at + 1, len(names) - 1)])} - {
            f"/learn/patterns/{name}"
        } <= answer
    assert (await client.visit("/learn/patterns/nothing")).status_code == 404
