"""All tests (`make test`): SQLite and the browser where one can watch, and beside them the half on PostgreSQL.

    python -m tests [what pytest takes]

Both wait for processes and disks much of the time, so they share two cores well.
"""

import subprocess
import sys
import tempfile
from typing import IO


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryFile("w+") as said:
        # It takes T from MAKEFLAGS, and Ctrl-C like everybody else in this terminal.
        with subprocess.Popen(["make", "postgresql"], stdout=said, stderr=subprocess.STDOUT) as beside:
            here = subprocess.run([sys.executable, "-m", "pytest", *arguments]).returncode
            print("\nPostgreSQL:", flush=True)
            there = beside.wait()
        show(said)
    return here or there


def show(said: IO[str]) -> None:
    said.seek(0)
    print(said.read(), end="")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
