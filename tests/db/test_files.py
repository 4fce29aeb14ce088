"""The files of SQLite are readable by their owner alone, whatever the umask."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from app.db import sqlite
from tests.support.environment import ROOT

OPEN = """
import os, sys
from app import __main__
os.umask(0o022)
sys.exit(__main__.main(["migrate"]))
"""


# v5.0.0-13.3.2
def test_database_that_a_command_makes_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path / 'new' / 'lanyard.db'}"}

    done = subprocess.run([sys.executable, "-c", OPEN], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((tmp_path / "new" / "lanyard.db").stat().st_mode) == 0o600


def test_files_beside_it_are_as_private_and_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    before = os.umask(0o022)
    (tmp_path / "shared.db").touch(0o640)
    try:
        opened = [sqlite._open(str(tmp_path / name)) for name in ("own.db", "shared.db")]
        for connection in opened:
            connection.execute("CREATE TABLE t (x)")
        found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)

    for connection in opened:
        connection.close()
    assert found == {
        f"{name}{suffix}": mode
        for name, mode in (("own.db", 0o600), ("shared.db", 0o640))
        for suffix in ("", "-wal", "-shm")
    }
