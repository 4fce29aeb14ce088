"""Each chapter names a test that fails after a change. This applies the change in a copy and runs the test."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from app.learn import chapters, code_blocks
from app.settings import ROOT
from tests.learn.breaks import Break, Outcome

pytestmark = pytest.mark.long

COPIED = (
    "app",
    "tests",
    "deploy",
    "templates",
    "static",
    "docs",
    "pyproject.toml",
    "README.md",
    ".env.example",
    "Makefile",
)


def breaks() -> dict[str, Break]:
    """Chapter and test name -> the change."""
    found = {}
    for path in sorted(chapters.DOCS.glob("*.md")):
        for fence in code_blocks.all_in(path.read_text()):
            if fence.origin[0] == "break":
                found[f"{path.stem} {fence.origin[1].rpartition('::')[2]}"] = Break(
                    fence.origin[1], fence.says["file"], *_lines(fence.body)
                )
    return found


def _lines(diff: str) -> tuple[str, str]:
    """The lines that the diff removes, and the lines that it adds."""
    out, put = ("\n".join(line[1:] for line in diff.splitlines() if line.startswith(sign)) for sign in "-+")
    return out, put


BREAKS = breaks()


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Break], Outcome]]:
    copy = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TEST_DATABASE") if name in os.environ}
    command = [sys.executable, str(copy / "tests" / "learn" / "breaks.py")]
    with subprocess.Popen(
        command, cwd=copy, env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as player:

        def ask(change: Break) -> Outcome:
            assert player.stdin
            assert player.stdout
            print(json.dumps(change), file=player.stdin, flush=True)
            return Outcome(*json.loads(player.stdout.readline()))

        yield ask


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_change_that_a_chapter_suggests_fails_the_test_that_it_names(
    play: Callable[[Break], Outcome], change: Break
) -> None:
    code, said = play(change)

    assert code == 1, said
    assert " failed" in said.splitlines()[-1]
    assert " error" not in said.splitlines()[-1]
