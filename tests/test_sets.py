"""`make test` and `make test-all` together are all tests, each on every database that it is for."""

import os
import subprocess
import sys

import pytest

from tests import sets
from tests.support.environment import ROOT


def collected(arguments: list[str], *, postgresql: bool) -> set[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TEST_"))}
    environment |= {"TEST_DATABASE": "postgresql"} if postgresql else {}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.long
@pytest.mark.parametrize("postgresql", [False, True], ids=["sqlite", "postgresql"])
def test_each_test_is_in_one_of_both_sets(postgresql: bool) -> None:
    paths = sets.database_tests() if postgresql else ["tests", "e2e"]
    everything = collected(paths, postgresql=postgresql)

    short = collected([*paths, "-p", "tests.sets", "--set=short"], postgresql=postgresql)
    rest = collected([*paths, "-p", "tests.sets", "--set=rest"], postgresql=postgresql)

    assert short | rest == everything
    assert not short & rest
    assert len(short) > 100
    assert len(rest) > 100


@pytest.mark.parametrize(("wanted", "parts"), [("short", 3), ("rest", 1)])
def test_set_is_run_on_sqlite_in_all_its_parts_in_the_browser_and_on_postgresql(wanted: str, parts: int) -> None:
    runs = sets.runs(wanted, parts)

    assert all({"tests.sets", f"--set={wanted}"} <= set(run.arguments) for run in runs)
    assert [run.arguments[0] for run in runs[:-1]] == ["tests"] * parts + ["e2e"]
    assert [run.arguments[-1] for run in runs[:parts]] == [f"--part={part}/{parts}" for part in range(1, parts + 1)]
    assert set(sets.database_tests()) <= set(runs[-1].arguments)
    assert [run.postgresql for run in runs] == [False] * (parts + 1) + [True]


def test_workflow_of_a_clone_runs_both_sets() -> None:
    assert "- run: make check test test-all\n" in (ROOT / "deploy" / "ci" / "github.yml").read_text()


def test_parts_have_each_module_once_and_about_as_many_tests() -> None:
    modules = ["a"] * 5 + ["b"] * 3 + ["c"] * 2

    assert sets.split(modules, 2) == {"a": 1, "b": 2, "c": 2}
    assert set(sets.split(modules, 1).values()) == {1}
