"""All tests (`make test`): on SQLite where one can watch, and beside them the half on PostgreSQL, then the browser.

    python -m tests [what pytest takes]

Both wait for processes and disks much of the time, so they share two cores well. With the path of a test among the
arguments that one alone is run, on SQLite; on PostgreSQL where TEST_DATABASE=postgresql says so.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

PYTEST = [sys.executable, "-m", "pytest"]
NO_TESTS = 5  # pytest's exit code where `-k` fits none
started: list["subprocess.Popen[bytes]"] = []
ending = Event()


def main(arguments: list[str]) -> int:
    one = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    # `make` takes T from MAKEFLAGS. Every process gets Ctrl-C, like all others in this terminal.
    beside = [] if one else [["make", "postgresql"], [*PYTEST, "e2e", *arguments]]
    codes: list[int] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, but nobody else gets it
    with tempfile.TemporaryFile() as said:
        work = Thread(target=run_all, args=(beside, said, codes), daemon=True)
        work.start()
        try:
            codes.append(run([*PYTEST, *([] if one else ["tests"]), *arguments]))
            told = 0
            while work.is_alive():
                work.join(0.5)
                told += show(said.fileno(), told)
            show(said.fileno(), told)
        finally:
            ending.set()
            for process in started:
                process.terminate()
    failed = [code for code in codes if code not in (0, NO_TESTS)]
    return failed[0] if failed else min(codes)


def run_all(commands: list[list[str]], said: IO[bytes], codes: list[int]) -> None:
    for command in commands:
        if ending.is_set():
            return
        codes.append(run(command, stdout=said, stderr=subprocess.STDOUT))


def run(command: list[str], **how: Any) -> int:
    with subprocess.Popen(command, **how) as process:
        started.append(process)
        return process.wait()


def show(file: int, told: int) -> int:
    """Print what was said beyond that place; how much it was."""
    text = os.pread(file, 1 << 24, told)
    sys.stdout.buffer.write(text)
    sys.stdout.flush()
    return len(text)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
