"""The prompt of `python -m app shell`, and the paths that `make` hands to the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import database as databases
from tests.support.environment import ROOT


def shell(lines: str, url: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"DATABASE_URL": url}
    command = [sys.executable, "-m", "app", "shell"]
    return subprocess.run(command, cwd=ROOT, env=environment, input=lines, capture_output=True, text=True)


def test_prompt_has_the_models_and_an_open_database(tmp_path: Path) -> None:
    lines = "await User.query.count()\nrow = await db.fetch_one(sa.select(sa.literal(6 * 7).label('n')))\nrow.n\n"

    done = shell(lines, databases.copy_to(tmp_path / "x.db"))

    assert done.returncode == 0
    assert "User" in done.stderr
    assert [line.rpartition(">>> ")[2] for line in done.stdout.splitlines()][:2] == ["0", "42"]
    assert "Traceback" not in done.stderr


def test_error_ends_the_line_and_not_the_prompt(tmp_path: Path) -> None:
    done = shell("await nonsense()\n1 / 0\n'still' + ' here'\n", databases.copy_to(tmp_path / "x.db"))

    assert done.returncode == 0
    assert "NameError" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "'still here'" in done.stdout


def test_database_that_does_not_answer_is_one_line() -> None:
    done = shell("", "postgresql://nobody@127.0.0.1:1/nothing")

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "does not answer" in done.stderr


@pytest.mark.parametrize(
    ("target", "chosen", "runs"),
    [
        ("unit", "tests/web", "-m pytest  tests/web"),
        ("unit", "tests/web/test_urls.py::test_x -x", "-m pytest  tests/web/test_urls.py::test_x -x"),
        ("unit", "-k login", "-m pytest tests -k login"),
        ("e2e", "e2e/test_login.py", "-m pytest  e2e/test_login.py"),
        ("e2e", "", "-m pytest e2e "),
        ("test", "e2e/test_login.py", "-m tests e2e/test_login.py"),
        ("postgresql", "tests/db", "-m tests --postgresql tests/db"),
    ],
)
def test_make_runs_the_path_that_it_is_given_and_nothing_else(target: str, chosen: str, runs: str) -> None:
    said = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target, f"T={chosen}"], cwd=ROOT, capture_output=True, text=True
    )

    assert said.returncode == 0, said.stderr
    assert any(line.rstrip().endswith(runs.rstrip()) for line in said.stdout.splitlines()), said.stdout
