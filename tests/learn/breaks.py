"""Apply the changes that chapters suggest to a copy of the project, in the current folder, and run their tests.

Run as a program, this file reads one change per line, runs its test in a forked child, which inherits the slow
imports, and writes a line with pytest's result. Both are JSON.
"""

import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

OPTIONS = ["-q", "-x", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # its plugins came with the slow imports


class Break(NamedTuple):
    test: str
    file: str
    before: str
    after: str


class Outcome(NamedTuple):
    exit_code: int  # 1: tests ran, and some failed
    said: str


def play(change: Break) -> Outcome:
    """Change the file in the current folder, run the test in a child process, and restore the file."""
    file = Path(change.file)
    text = file.read_text()
    if text.count(change.before) != 1:
        return Outcome(-1, f"{change.file} has not exactly one: {change.before}")
    file.write_text(text.replace(change.before, change.after))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        code = pytest.main([*OPTIONS, change.test])
        sys.stdout.flush()
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    outcome = Outcome(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.strip())
    file.write_text(text)
    return outcome


if __name__ == "__main__":
    import edgy  # noqa: F401
    import ravyn.middleware.authentication  # noqa: F401

    sys.path.insert(0, str(Path.cwd()))
    for line in sys.stdin:
        print(json.dumps(play(Break(*json.loads(line)))), flush=True)
