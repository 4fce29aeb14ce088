"""What README says to write works as it is printed, in a copy of this tree; its pictures are the command's.

Its links, and those of the pages that it leads to, have a target.
"""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from e2e import pictures
from tests.support.copies import copied, run
from tests.support.environment import ROOT

pytestmark = pytest.mark.template

README = (ROOT / "README.md").read_text()
FILES = [ROOT / name for name in ("README.md", "SECURITY.md", "CHANGELOG.md")]
PAGES = [
    *FILES,
    *(
        path
        for path in sorted((ROOT / "docs").glob("[a-z]*.md"))
        if path.stem not in ("patterns", "glossary", "problems")
    ),
]
WRITTEN = re.compile(r"`(\w+/todos/[\w.]+)`[^:]*:\n\n((?:    .*\n|\n)+)")


def test_page_of_ones_own_is_what_readme_says_it_takes(tmp_path: Path) -> None:
    folder = copied(tmp_path / "clone")
    write_what_readme_says(folder)

    contracts = "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"
    for command in (["-m", "ruff", "check"], ["-m", "ruff", "format", "--check"], ["-c", contracts]):
        done = run(folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/todos")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def write_what_readme_says(folder: Path) -> None:
    """Into a copy; again in one that has it already."""
    files = {path: dedent(text).strip("\n") + "\n" for path, text in WRITTEN.findall(README)}
    assert list(files) == [
        "app/todos/pages.py", "app/todos/__init__.py", "templates/todos/index.html", "tests/todos/test_pages.py"
    ]  # fmt: skip
    for path, text in {**files, "tests/todos/__init__.py": ""}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    main = folder / "app/main.py"
    if '"app.todos"' not in main.read_text():
        main.write_text(main.read_text().replace('    "app.dev",\n', '    "app.dev",\n    "app.todos",\n'))


def test_pictures_are_there_named_in_words_and_made_by_the_command() -> None:
    shown = re.findall(r'<img src="([^"]+)"[^>]* alt="([^"]+)"', README)

    assert [path for path, _ in shown] == [f"docs/pictures/{name}.png" for name in pictures.PICTURES]
    for path, words in shown:
        picture = (ROOT / path).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 250_000
        assert len(words) > 20
    assert {path.stem for path in pictures.FOLDER.iterdir()} == set(pictures.PICTURES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_has_a_target(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]

    missing = []
    for link in links:
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            missing.append(link)
    assert missing == []


def test_readme_leads_to_every_page_about_the_application() -> None:
    named = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", README))

    assert {page.name for page in PAGES} - {*(file.name for file in FILES), "mutants.md"} <= named
    assert len(README.splitlines()) < 317  # what is more belongs on one of them


def anchors(page: Path) -> set[str]:
    """The headings as GitHub names them in addresses."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
