"""The chapters are true: their code is the source, their links exist, and their outputs are recorded."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lilya.enums import Match

from app.learn import chapters, code_blocks, markdown, pattern_index, sources
from app.learn.lab import attacks
from app.main import route_table
from app.settings import ROOT
from tests.learn import outputs
from tests.learn.commands import COMMANDS

CHAPTERS = sorted(chapters.DOCS.glob("[0-9][0-9]-*.md"))
PAGES = [*CHAPTERS, *(page.path for page in chapters.reference())]
COURSE = [chapters.course().path, *(step.path for step in chapters.steps())]
each_page = pytest.mark.parametrize("path", PAGES, ids=[path.stem for path in PAGES])
each_link_page = pytest.mark.parametrize("path", [*PAGES, *COURSE], ids=[path.stem for path in [*PAGES, *COURSE]])
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])


@each_page
def test_code_that_is_shown_is_the_source(path: Path) -> None:
    """A deleted function is an error; a changed one means that `make docs` must run."""
    text = path.read_text()

    assert text == code_blocks.filled(text, headed=True), "make docs"


@each_page
def test_page_renders_and_every_link_in_it_leads_to_a_file_and_a_name_that_exist(path: Path) -> None:
    page = chapters._read(path)

    assert page.title
    assert page.minutes >= 1
    assert "```" not in page.text.html
    assert not re.search(r"\]\(|<!--|style=", page.text.html)
    ids = re.findall(r' id="([^"]*)"', page.text.html)
    assert len(set(ids)) == len(ids)


@each_link_page
def test_links_to_the_application_and_the_pattern_index_lead_to_pages(path: Path, app: Any) -> None:
    html = chapters._read(path).text.html
    slugs = {chapter.slug for chapter in chapters.chapters()} | set(chapters.REFERENCE)
    slugs |= {"build", *(f"build/{step.slug}" for step in chapters.steps())}

    for href in re.findall(r'href="(/[^"]*)"', html):
        address = re.split(r"[?#]", href)[0]
        scope = {"type": "http", "path": address, "root_path": "", "method": "GET", "headers": [], "query_string": b""}
        found = any(route.search(scope)[0] is not Match.NONE for route in app.routes)
        assert found, href
        if address.startswith("/learn/patterns/"):
            assert address.removeprefix("/learn/patterns/") in pattern_index.PATTERNS
        elif address.startswith("/learn/") and not address.startswith(("/learn/source/", "/learn/lab")):
            assert address.removeprefix("/learn/") in slugs


@each_page
def test_program_text_is_never_pasted(path: Path) -> None:
    for fence in code_blocks.all_in(path.read_text()):
        kind, _ = fence.origin
        run = fence.language == "console" and path.name in ("curl.md", "port.md", "switched-off.md")
        assert kind or run or fence.language == "sh", fence.body


@each_page
def test_file_or_private_name_that_is_mentioned_exists(path: Path) -> None:
    text = path.read_text()
    code = "".join(fence.body for fence in code_blocks.all_in(text))

    for word in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", code_blocks.FENCE.sub("", text)):
        if re.fullmatch(r"(app|tests|e2e|templates|static|docs)/[\w./-]*", word):
            assert (ROOT / word).exists(), word
        if re.fullmatch(r"_\w+", word):
            assert re.search(rf"\b{word}\b", code), word


@each_chapter
def test_chapter_has_its_parts(path: Path) -> None:
    text = path.read_text()
    kinds = [fence.origin[0] for fence in code_blocks.all_in(text)]

    lead = text.split("\n\n")[1]

    assert text.startswith("# ")
    assert lead[0].isupper()
    assert "source" in kinds
    assert "break" in kinds
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[-2:] == ["Break it", "Your turn"]


def test_chapters_are_numbered_without_a_gap() -> None:
    assert [chapter.number for chapter in chapters.chapters()] == list(range(1, len(CHAPTERS) + 1))


def test_markdown_of_a_chapter_links_to_the_next_one() -> None:
    every = chapters.chapters()

    for chapter, after in pairwise(every):
        text = chapter.path.read_text()
        assert text == chapters.turned(chapter, text), "make docs"
        assert f"Next: [{after.title}]({after.path.name})" in text
        assert "Next: " not in chapter.text.html
    assert "<!-- next -->" not in every[-1].path.read_text()


def test_every_module_that_names_a_chapter_names_one_that_exists() -> None:
    titles = {chapter.title for chapter in chapters.chapters()}

    for name in sources.names():
        if name.startswith("app/") and name.endswith(".py") and not name.startswith("app/learn/"):
            for listed in re.findall(r'Chapters?: ((?:"[^"]+"(?:, )?)+)', sources.text(name)):
                assert set(re.findall(r'"([^"]+)"', listed)) <= titles, name


def test_every_module_that_a_chapter_shows_names_its_chapter() -> None:
    """So that readers of the code find the explanation."""
    for path in CHAPTERS:
        for fence in code_blocks.all_in(path.read_text()):
            kind, name = fence.origin
            if kind == "source":
                assert re.search(r'Chapters?: "', sources.text(name)), f"{name} is shown in {path.name}"


def test_changed_line_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sources.text
    path = chapters.DOCS / "11-rotation-and-reuse.md"
    before = chapters._read(path).text.html
    one, other = "    session: SessionState", "    lanyard: SessionState"
    monkeypatch.setattr(sources, "text", lambda name: real(name).replace(one, other))

    after = chapters._read(path).text.html

    assert "lanyard" not in before
    assert "lanyard" in after


def test_deleted_function_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sources.text
    monkeypatch.setattr(sources, "text", lambda name: real(name).replace("def decide(", "def gone("))

    with pytest.raises(LookupError, match=r"app/auth/sessions/rotation_policy\.py has no decide"):
        code_blocks.filled((chapters.DOCS / "11-rotation-and-reuse.md").read_text())


@pytest.mark.parametrize(
    ("markdown", "error"),
    [
        ("# T\n\n[x](16-nowhere.md)\n", LookupError),
        ("# T\n\n[x](../app/nowhere.py)\n", LookupError),
        ("# T\n\n[x](../app/auth/sessions/rotation_policy.py#nowhere)\n", LookupError),
        ("# T\n\n[x](/dashboard)\n", ValueError),
        ("# T\n\n[x](../../etc/passwd)\n", LookupError),
        ("# T\n\n```python source=app/auth/sessions/rotation_policy.py symbol=nowhere\n```\n", LookupError),
        ("# T\n\n```python source=.env symbol=x\n```\n", LookupError),
        ("# T\n\n```python printed=nowhere\n```\n", LookupError),
        ("# T\n\n<b>bold</b>\n", ValueError),
        ("# T\n\n<script>alert(1)</script>\n", ValueError),
    ],
)
def test_broken_link_and_html_are_errors(tmp_path: Path, markdown: str, error: type[Exception]) -> None:
    path = tmp_path / "01-test.md"
    path.write_text(markdown)

    with pytest.raises(error):
        chapters._read(path).text.html  # noqa: B018


SHOWN = {
    fence.origin[1]: fence.body.strip()
    for path in CHAPTERS
    for fence in code_blocks.all_in(path.read_text())
    if fence.origin[0] == "output"
}


@pytest.mark.anyio
async def test_answer_that_is_shown_is_what_the_application_answers(app: Any, database: str) -> None:
    recorded = await outputs.record(app)

    assert {name: text for name, text in SHOWN.items() if name not in COMMANDS} == recorded, "make docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_prints_what_is_shown(name: str) -> None:
    assert COMMANDS[name]() == SHOWN[name], "make docs"


def test_every_exhibit_of_the_lab_is_linked_where_a_chapter_needs_it() -> None:
    """In the text before its last two sections, which are exercises."""
    texts = "".join(path.read_text().partition("## Break it")[0] for path in CHAPTERS)

    for name in (*(f"attacks/{attack.name}" for attack in attacks.ALL), "inspector", "family", "time-machine?script="):
        assert f"{markdown.SITE}/learn/lab/{name}" in texts, name


def test_routes_of_the_tutorial_are_public() -> None:
    permissions = {row["path"]: row["permission"] for row in route_table()}
    served = {path: kind for path, kind in permissions.items() if path.startswith("/learn") and "/lab" not in path}

    assert set(served.values()) == {"Public"}
    assert len(served) >= 6
