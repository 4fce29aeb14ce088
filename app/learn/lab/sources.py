"""Where a check stands: found in the running source, so that no page of the lab names a line that has moved."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.settings import ROOT

GONE = "(the line that stood here is gone)"


@dataclass(frozen=True, slots=True)
class Place:
    """`file` is relative to the project; `code` is the line itself."""

    file: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def find(where: Any, text: str) -> Place:
    """The first line of a function, handler or class that holds `text`.

    Where none does any more, its first line, and GONE: whoever took a defence out to see what happens is to see it.
    """
    where = getattr(where, "fn", where)  # a handler is the framework's object around the function
    lines, start = inspect.getsourcelines(where)
    file = Path(inspect.getsourcefile(where) or "").resolve().relative_to(ROOT).as_posix()
    for number, line in enumerate(lines, start=start):
        if text in line:
            return Place(file, number, line.strip())
    return Place(file, start, GONE)
