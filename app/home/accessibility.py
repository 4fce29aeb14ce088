"""/accessibility: the accessibility statement, made from `docs/accessibility.md`, so that the two cannot differ.

Source: W3C, "Developing an Accessibility Statement": standard, limits, contact, date.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from ravyn import Request, get

from app.auth import permissions
from app.settings import ROOT, get_settings
from app.web import templates

FILE = ROOT / "docs" / "accessibility.md"
CRITERION = re.compile(r"^\| (\d\.\d\.\d[^|]*) \| (A{1,2}|A, AA) \| ([^|]+) \|", re.MULTILINE)
LIMIT = re.compile(r"^- (.+)$", re.MULTILINE)
REVIEWED = re.compile(r"^Last reviewed: (.+)\.$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """`criteria`: name, level, and how each is met. `limits`: sentences about what does not hold."""

    criteria: list[tuple[str, str, str]]
    limits: list[str]
    reviewed: str


@cache
def statement() -> Statement:
    """Errors: ValueError for a file without a date."""
    text = FILE.read_text("utf-8")
    if not (reviewed := REVIEWED.search(text)):
        raise ValueError(f"{FILE.name}: a line `Last reviewed: DATE.` is needed")
    limits = text.partition("\n## What is known not to hold\n")[2]
    plain = text.replace("`", "")
    return Statement(CRITERION.findall(plain), LIMIT.findall(limits.replace("`", "")), reviewed[1])


@get()
async def accessibility(request: Request) -> Any:
    contact = get_settings().reported_to
    return templates.page(request, "home/accessibility.html", statement=statement(), contact=contact)


route_patterns = [permissions.public("/accessibility", accessibility)]
