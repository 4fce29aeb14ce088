"""Ends the programs that the tests start, however the tests end: SIGTERM and SIGKILL leave `atexit` no time.

A process of its own waits at a pipe. When the other end is gone, so are the tests.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache

END_SECONDS = 5  # for a program that is told to end, before it is killed


def watch(pid: int, end: signal.Signals = signal.SIGTERM) -> None:
    """From now on this process is told `end` when the tests are gone; PostgreSQL ends at once at SIGQUIT."""
    _say(f"watch {pid} {int(end)}")


def forget(pid: int) -> None:
    """It has ended. Another one may soon have its number."""
    _say(f"forget {pid}")


def remove(folder: object) -> None:
    """Delete this folder, too, after the programs that use it."""
    _say(f"remove {folder}")


def _say(line: str) -> None:
    pipe = _started().stdin
    assert pipe
    pipe.write(f"{line}\n".encode())
    pipe.flush()


@cache
def _started() -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    atexit.register(process.communicate)
    return process


def main() -> None:
    ends: dict[int, int] = {}
    folders = []
    for line in sys.stdin:
        word, what = line.rstrip("\n").split(" ", 1)
        if word == "watch":
            pid, end = map(int, what.split())
            ends[pid] = end
        elif word == "forget":
            ends.pop(int(what), None)
        else:
            folders.append(what)
    for pid, number in ends.items():
        _end(pid, number)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _end(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)  # a test may have stopped it
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
