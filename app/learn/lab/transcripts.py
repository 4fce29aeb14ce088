"""What the documentation page's code does, recorded by tests that run it with the unpatched packages."""

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
    """The first of these that is recorded; None if none is."""
    if not FILE.exists():
        return None
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    found = next((recorded[each] for each in ids if each in recorded), None)
    return Transcript(found["code"], found["output"]) if found else None
