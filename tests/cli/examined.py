"""`python -m app doctor` as a person runs it, and what it says."""

import re
import subprocess
import sys
from collections.abc import Callable, Sequence

from tests.support.environment import ROOT


class Report:
    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.code, self.text = done.returncode, done.stdout
        assert not done.stderr, done.stderr
        lines = re.findall(r"^(ok|note|WRONG) +(\w+) +(.+)(?:\n +fix: (.+))?$", self.text, re.MULTILINE)
        self.wrong = {what: (says, fix) for mark, what, says, fix in lines if mark == "WRONG"}
        self.seen = {what for _, what, _, _ in lines}


def examine(
    settings: dict[str, str],
    *arguments: str,
    program: Sequence[str] = ("-m", "app"),
    before: Callable[[], None] | None = None,
) -> Report:
    """`before`: what the process does before the program is loaded."""
    command = [sys.executable, *program, "doctor", *arguments]
    return Report(
        subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=120, preexec_fn=before)
    )
