"""Where the figures go: a table between its two marks in results.md. What stands around them is written by hand."""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results.md"
MACHINE = f"Python {platform.python_version()}, {os.cpu_count()} cores"


def record(name: str, words: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the table and put it where the one before stood; a new name goes to the end."""
    text = "\n".join([words, "", _line(head), "|---" * len(head) + "|", *map(_line, rows)])
    print(text)
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    written = RESULTS.read_text()
    if begin not in written:
        written = f"{written.rstrip()}\n\n{begin}\n{end}\n"
    before, rest = written.split(begin)
    RESULTS.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
