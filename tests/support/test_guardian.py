"""What the tests start ends with them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.environment import ROOT

pytestmark = pytest.mark.race

PROGRAM = """\
from tests.support import environment
from tests.support.postgres import Postgres

postgres = Postgres()
postgres.start()
print(postgres._process.pid, postgres.folder, flush=True)
input()
"""
PATIENCE_SECONDS = 60


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_database_ends_with_the_tests_however_they_end(how: signal.Signals) -> None:
    tests = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert tests.stdout
    pid, folder = tests.stdout.readline().split()
    assert is_alive(int(pid))

    tests.send_signal(how)
    tests.communicate()

    awaited(lambda: not is_alive(int(pid)) and not Path(folder).exists())


def test_ending_the_test_run_ends_its_processes(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    (tmp_path / "test_it.py").write_text(f"""\
import os, time
from pathlib import Path

def test_it():
    Path({str(told)!r}).write_text(str(os.getpid()))
    time.sleep(60)
""")
    runner = subprocess.Popen(
        [sys.executable, "-m", "tests", str(tmp_path / "test_it.py")], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    pid = int(awaited(lambda: told.exists() and told.read_text()))

    runner.terminate()
    runner.wait()

    awaited(lambda: not is_alive(pid))


def awaited(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
