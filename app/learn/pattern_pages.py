"""A page for each pattern: the printed form and what it does on which version, the right form, and where to go on.

Everything on it is recorded or collected: `code_blocks.TRANSCRIPTS` and `VERSIONS` by tests/patterns, the rest by
`pattern_index`.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from markupsafe import Markup

from app.learn import chapters, code_blocks, markdown, pattern_index, sources
from app.learn.chapters import Chapter
from app.learn.pattern_index import Pattern


@dataclass(frozen=True, slots=True)
class Form:
    """A program with its output. `command` runs it."""

    code: str
    output: str
    command: str

    @property
    def shown(self) -> Markup:
        return sources.highlight(self.code, "python")


@dataclass(frozen=True, slots=True)
class PatternPage:
    """`versions`: version of the framework, newest first, and what the printed form prints there; "" if the same."""

    name: str
    pattern: Pattern
    printed: Form | None
    right: Form | None
    versions: list[tuple[str, str]]
    chapter: Chapter
    step: Chapter
    code: list[str]
    tests: list[tuple[str, str, int]]  # file, function, line

    @property
    def what(self) -> Markup:
        return markdown.inline(self.pattern.what)

    @property
    def fails(self) -> Markup:
        return markdown.inline(self.pattern.fails)

    @property
    def here(self) -> Markup:
        return markdown.inline(self.pattern.here)

    @property
    def minutes(self) -> int:
        lines = sum(form.code.count("\n") for form in (self.printed, self.right) if form)
        return max(1, round(lines / chapters.LINES_A_MINUTE))


@cache
def pages() -> dict[str, PatternPage]:
    """Pattern -> its page, in the order of the documentation page."""
    recorded = json.loads(code_blocks.TRANSCRIPTS.read_text("utf-8"))
    versions = json.loads(code_blocks.VERSIONS.read_text("utf-8"))
    places, tests = pattern_index.places(), pattern_index.tests()
    explained, built = pattern_index.explained(), pattern_index.built()
    return {
        name: PatternPage(
            name, pattern, _form(recorded.get(name), f"forms/{name}"), _form(recorded.get(name, {}).get("right"),
            f"right/{name}"), _versions(name, versions), explained[name][0], built[name], places[name],
            [(file, test, sources.symbol(file, test)[1]) for file, test in tests.get(name, [])],
        )
        for name, pattern in pattern_index.PATTERNS.items()
    }  # fmt: skip


def _form(recorded: dict[str, Any] | None, program: str) -> Form | None:
    command = f"python tests/patterns/printed.py {program.replace('-', '_')}"
    return Form(recorded["code"], recorded["output"], command) if recorded else None


def _versions(name: str, recorded: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    said = [(version, forms[name]) for version, forms in reversed(recorded.items()) if name in forms]
    return [(version, output if output != said[0][1] else "") for version, output in said]
