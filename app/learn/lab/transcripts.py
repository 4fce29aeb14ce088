"""What the framework's printed code does in the same place: recorded by tests on the unpatched packages."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from app.settings import ROOT

FILE = ROOT / "app" / "learn" / "transcripts.json"


@dataclass(frozen=True, slots=True)
class Transcript:
    code: str
    output: str


def first_of(ids: Iterable[str]) -> Transcript | None:
    """The first of these that was recorded; None where none was."""
    if not FILE.exists():
        return None
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    found = next((recorded[each] for each in ids if each in recorded), None)
    return Transcript(found["code"], found["output"]) if found else None
