"""What the tests start ends with them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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
PATIENCE_SECONDS = 20


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

    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_alive(int(pid)) or Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
