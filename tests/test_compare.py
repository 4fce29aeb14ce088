"""What `bench.compare` computes from the CPU seconds of its rounds, and that it finds an older revision's files."""

import subprocess
from pathlib import Path

import pytest

from bench import compare
from tests.support.environment import ROOT

pytestmark = pytest.mark.template


def test_quotient_is_taken_within_each_round() -> None:
    """A machine that was half as fast during one round slowed both builds, and changes no quotient."""
    quick, slow = (0.004, 0.002), (0.008, 0.004)

    assert compare.quotients([quick, slow]) == [0.5, 0.5]


def test_one_disturbed_round_moves_neither_the_median_nor_the_quartiles_far() -> None:
    assert compare.spread([0.5, 0.5, 0.5, 0.5, 9.0]) == (0.5, 0.5, 0.5)
    assert compare.spread([0.4, 0.5, 0.6]) == pytest.approx((0.5, 0.45, 0.55))


def test_every_build_asks_as_often_as_there_are_connections() -> None:
    """Otherwise some of the requests that the CPU seconds are divided by would never be sent."""
    assert {
        name: case.requests % compare.CONNECTIONS for name, case in compare.CASES.items() if case.requests % 8
    } == {}


def test_revision_is_unpacked_without_what_is_not_committed(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "app"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    folder = compare.unpacked("HEAD", tmp_path)

    assert (folder / "app" / "main.py").is_file()
    assert not (folder / ".venv").exists()
    found = {path.relative_to(folder).as_posix() for path in (folder / "app").rglob("*") if path.is_file()}
    assert found <= set(listed.splitlines())
