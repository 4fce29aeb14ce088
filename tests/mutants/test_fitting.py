"""Which test files the mutants are tried on: all of them, so that no survivor is a lack of looking."""

import pytest

from tests.mutants import fitting
from tests.mutants.__main__ import CHECKED, FOLDERS
from tests.support.environment import ROOT


@pytest.mark.parametrize("path", CHECKED)
def test_tests_that_mirror_a_checked_file_are_among_those_that_are_run(path: str) -> None:
    mirror = ROOT / "tests" / path.removeprefix("app/").replace(path.rpartition("/")[2], "")
    beside = [file.relative_to(ROOT).as_posix() for file in mirror.glob("test_*.py")]

    assert beside
    assert set(beside) <= {name for folder in FOLDERS for name in fitting.files_of(folder)}
