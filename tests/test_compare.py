"""What `bench.compare` computes from its rounds and `bench.flames` from its samples, and an older revision's files."""

import subprocess
from pathlib import Path

import pytest

from bench import compare, flames
from tests.support.environment import ROOT

pytestmark = pytest.mark.part("bench")


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


def test_stacks_become_a_tree_without_those_that_wait() -> None:
    stacks = ["main;app/pages.py;db 3", "main;app/pages.py 2", "main;log 1", "thread;_worker (thread.py) 90"]

    total, root = flames.tree(stacks)

    assert total == 6
    assert root == {"main": (6, {"app/pages.py": (5, {"db": (3, {})}), "log": (1, {})})}


def test_box_is_as_wide_as_its_share_and_below_what_called_it() -> None:
    picture = flames.drawn("a path", 4, {"<main>": (4, {"a": (1, {}), "b": (3, {})})})

    assert "<title>&lt;main&gt;: 100.0%</title>" in picture
    assert f'x="{flames.WIDTH / 4:.1f}" y="{2 * flames.HEIGHT}" width="{flames.WIDTH * 3 / 4:.1f}"' in picture
