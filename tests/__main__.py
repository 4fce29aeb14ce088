"""The tests: `make test` runs the short set, `make test-all` the rest as well (see `tests.sets`).

    python -m tests [--rest | --postgresql] [what pytest takes]

SQLite, the browser and PostgreSQL are processes of pytest beside each other, as many at a time as there are cores; what
they say is shown one after the other. With the path of a test among the arguments that one alone is run, on SQLite; on
PostgreSQL where TEST_DATABASE=postgresql says so. `--postgresql`: all that reaches a database, on PostgreSQL alone.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event, Lock

from tests import sets

NO_TESTS = 5  # pytest's exit code where `-k` fits none
started: list["subprocess.Popen[bytes]"] = []
starting = Lock()
ending = Event()


def main(arguments: list[str]) -> int:
    which = arguments.pop(0) if arguments and arguments[0] in ("--rest", "--postgresql") else ""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, but nobody else gets it
    by_path = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    if which == "--postgresql":
        code = finished([sets.Run([*([] if by_path else sets.database_tests()), *arguments], postgresql=True)], 1)
    elif by_path:
        code = 0 if which else finished([sets.Run(arguments)], 1)
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        wanted = "rest" if which else "short"
        # The longest first. Tests of the rest start many processes themselves.
        runs = sets.runs(wanted, 1 if which else cores, arguments)
        code = finished(runs, 2 if which else max(2, cores))
    return 0 if which and code == NO_TESTS else code


def finished(runs: Sequence[sets.Run], at_once: int) -> int:
    """Run them; the exit code. Ctrl-C reaches every process of the terminal, SIGTERM is passed on."""
    with ThreadPoolExecutor(at_once) as pool, tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(len(runs))]
        for file in files:
            file.touch()
        codes = [pool.submit(code_of, run, file) for run, file in zip(runs, files, strict=True)]
        try:
            for code, file in zip(codes, files, strict=True):
                show(code, file)
        finally:
            with starting:
                ending.set()
            for process in started:
                process.terminate()
    failed = [code.result() for code in codes if code.result() not in (0, NO_TESTS)]
    return failed[0] if failed else min(code.result() for code in codes)


def code_of(run: sets.Run, file: Path) -> int:
    environment = os.environ | ({"TEST_DATABASE": "postgresql"} if run.postgresql else {})
    command = [sys.executable, "-m", "pytest", *run.arguments]
    with starting, file.open("wb") as said:
        if ending.is_set():
            return 130
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
        started.append(process)
    return process.wait()


def show(code: "Future[int]", file: Path) -> None:
    """What it says, as soon as it says it."""
    with file.open("rb") as said:
        while True:
            over = code.done()
            text = said.read()
            sys.stdout.buffer.write(text)
            sys.stdout.flush()
            if over and not text:
                return
            wait([code], timeout=0 if over else 0.5)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
