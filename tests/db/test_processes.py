"""Four processes on one database: they all start, one wins, nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.db import four_processes
from tests.support import database as databases
from tests.support import postgres
from tests.support.environment import ROOT

pytestmark = pytest.mark.race


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file: Path = tmp_path_factory.mktemp("four") / "fresh.db"
    url = postgres.empty() if databases.POSTGRESQL else f"sqlite:///{file}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.db.four_processes", url], cwd=ROOT, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_migrate_an_empty_database_at_once(outcome: Any) -> None:
    assert [process["pending"] for process in outcome["processes"]] == [0] * four_processes.PROCESSES


def test_of_two_hundred_that_compare_and_swap_one_wins(outcome: Any) -> None:
    assert sum(process["won"] for process in outcome["processes"]) == 1


def test_read_then_write_in_a_transaction_loses_nothing(outcome: Any) -> None:
    assert outcome["increments"] == four_processes.PROCESSES * four_processes.INCREMENTS
