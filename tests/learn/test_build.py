"""The course in docs/build: a reader follows it in an empty folder, and sees what it says.

A fault in a text is found: each step is followed once more with one, from the folder that the step before leaves.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.learn import chapters, code_blocks, pattern_index
from app.settings import ROOT
from tests.learn import course, fresh_environment
from tests.learn.course import Reader, Stuck

pytestmark = pytest.mark.long

STEPS = course.steps()
each_step = pytest.mark.parametrize("path", STEPS, ids=[path.stem for path in STEPS])


@pytest.fixture(scope="module")
def followed(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], tuple[str, Path]]]:
    """The text that a step gives, and a copy of the folder after it. Steps are followed once, in order."""
    folder = tmp_path_factory.mktemp("course")
    reader = Reader(course.new_folder(folder / "course"), programs)
    done: list[tuple[str, Path]] = []

    def until(number: int) -> tuple[str, Path]:
        while len(done) < number:
            text = reader.follow(STEPS[len(done)].read_text())
            kept = folder / f"after-{len(done) + 1}"
            shutil.copytree(reader.folder, kept)
            done.append((text, kept))
        return done[number - 1]

    yield until
    reader.close()


@each_step
def test_step_prints_what_it_says(path: Path, followed: Callable[[int], tuple[str, Path]]) -> None:
    text, _ = followed(STEPS.index(path) + 1)

    assert text == path.read_text(), "make course"


FAULTS = {
    1: ('{"message": "Hello"}\n', '{"message": "Hallo"}\n'),
    2: ("len(key) < 43 or len(set(key)) < 16", "len(key) < 3"),
    3: ("argon2.hash, password)", "str, password)"),
    4: ("[config.algorithm],", '["HS256", "none"], options={"verify_signature": False},'),
    5: ("if not user or not right", "if not user"),
    6: ("return (AuthCredentials", "return (AuthCredentials([]), user) if user else (AuthCredentials"),
    7: ('"httponly": True, ', ""),
    8: ('token = tokens.read(raw, "refresh")', 'token = tokens.read(raw, "access")'),
    9: ("+    await end(token.sid)\n", ""),
    10: ("and request.user.is_admin", "or request.user.is_admin"),
}


@pytest.mark.parametrize("number", FAULTS)
def test_fault_in_a_text_is_found(
    number: int, followed: Callable[[int], tuple[str, Path]], programs: Path, tmp_path: Path
) -> None:
    """The folder of the step before, and the step with a fault: its outputs differ, or it cannot be followed."""
    text = STEPS[number - 1].read_text()
    right, wrong = FAULTS[number]
    assert right in text
    faulty = text.replace(right, wrong, 1)  # in the file, or in what it prints
    folder = tmp_path / "course"
    if number > 1:
        shutil.copytree(followed(number - 1)[1], folder)
    reader = Reader(folder if number > 1 else course.new_folder(folder), programs)

    try:
        with pytest.raises(Stuck):
            reader.follow(faulty, until_it_differs=True)
    finally:
        reader.close()


@each_step
def test_step_has_its_parts_in_order(path: Path) -> None:
    text = path.read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    number = STEPS.index(path) + 1

    assert headings[-5:] == ["Break it", "Exercise", "Answer", "Check", "What Lanyard adds"]
    broken = text.partition("## Break it")[2].partition("## Exercise")[0]
    assert f"$ python check.py {number}\n" in broken
    assert "FAIL" in broken
    assert f"Step {number} is complete.\n" in text.partition("## Check")[2]
    assert "](../" in text.partition("## What Lanyard adds")[2]
    assert "At the end of this step" in text.partition("## ")[0]


@each_step
def test_reader_of_the_markdown_sees_the_name_of_each_file(path: Path) -> None:
    text = path.read_text()

    for fence in code_blocks.FENCE.finditer(text):
        kind, name = code_blocks.parse(fence["info"]).origin
        if kind in ("create", "change", "try"):
            verb = {"create": "Create", "change": "Change", "try": "Try in"}[kind]
            assert text[: fence.start()].endswith(f"\n\n{verb} `{name}`:\n\n")


@each_step
def test_step_renders_with_its_answer_folded(path: Path) -> None:
    page = chapters._read(path)

    html = page.text.html
    assert html.count('<details class="answer"><summary>Answer</summary>') == 1
    assert html.index("</details>") < html.index('id="check"')
    assert "```" not in html
    assert not re.search(r"\]\(|<!--|style=", html)


@each_step
def test_step_links_to_the_next_one(path: Path) -> None:
    step = chapters.steps()[STEPS.index(path)]
    text = path.read_text()

    assert text == chapters.turned(step, text), "make docs"


def test_course_explains_every_pattern_of_the_documentation() -> None:
    explained = [pattern for step in chapters.steps() for pattern in step.patterns]

    assert sorted(explained) == sorted(pattern_index.PATTERNS)


def test_first_page_lists_every_step() -> None:
    page = chapters.course()
    text = page.path.read_text()

    assert text == chapters.listed(text), "make docs"
    assert "<ol>" not in page.text.html


def test_only_typed_blocks_are_not_run() -> None:
    """What the tests do not run is the environment, the folder, the repository, the server and the copy of check.py."""
    typed = [f.body for path in STEPS for f in code_blocks.all_in(path.read_text()) if f.language == "sh"]

    words = {line.split()[0] for body in typed for line in body.splitlines()}
    assert words == {"cd", "mkdir", "cp", "python3", ".", "pip", "git", "uvicorn"}


def test_versions_are_ours() -> None:
    locked = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))

    for name, version in re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)$", course.requirements(), re.MULTILINE):
        assert locked[name] == version


@pytest.mark.parametrize(
    ("text", "diff"),
    [
        ("one\ntwo\n", "-three\n+four\n"),
        ("one\none\n", "-one\n+two\n"),
        ("one\ntwo\n", " two\n-one\n+three\n"),
        ("one\n", "-one\n+two\n@@\n-one\n+three\n"),
    ],
)
def test_change_that_does_not_fit_is_an_error(text: str, diff: str) -> None:
    with pytest.raises(Stuck):
        course.changed(text, diff)


def test_change_fits_whole_lines() -> None:
    assert course.changed("ab\nb\n\nc\n", "-b\n+x\n \n c\n") == "ab\nx\n\nc\n"


def test_environment_refuses_another_version(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ravyn==0"):
        fresh_environment.make(tmp_path / "venv", "ravyn==0\n")
