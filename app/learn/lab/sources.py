"""The source line of a check, searched for in the running code, so that the lab never shows an outdated line number."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.settings import ROOT

GONE = "(this check has been removed)"


@dataclass(frozen=True, slots=True)
class Place:
    """`file` is relative to the project's root; `code` is the text of the line."""

    file: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def find(where: Any, text: str) -> Place:
    """The first line of a function, handler or class that contains `text`.

    If no line does, the first line of the function with GONE as its code: a reader who removes a check to see what
    happens sees that it is missing.
    """
    where = getattr(where, "fn", where)  # a handler is an object of the framework that wraps the function
    lines, start = inspect.getsourcelines(where)
    file = Path(inspect.getsourcefile(where) or "").resolve().relative_to(ROOT).as_posix()
    for number, line in enumerate(lines, start=start):
        if text in line:
            return Place(file, number, line.strip())
    return Place(file, start, GONE)
