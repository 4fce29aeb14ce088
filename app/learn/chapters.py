"""The chapters: docs/NN-name.md, read with code from the current source. The steps of the course, and the reference."""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from app.learn import code_blocks, markdown
from app.learn.markdown import REFERENCE, TURN, Text
from app.settings import ROOT, get_settings

DOCS = ROOT / "docs"
WORDS_A_MINUTE, LINES_A_MINUTE, TYPED_A_MINUTE = 200, 40, 6


@dataclass(frozen=True)
class Chapter:
    """`slug`: last part of its address. `number`: position, 0 if it is not a chapter. `minutes`: reading time."""

    path: Path
    slug: str
    number: int
    title: str
    patterns: tuple[str, ...]
    minutes: int

    @cached_property
    def text(self) -> Text:
        """Rendered on first use; a list of chapters does not need it."""
        return markdown.rendered(self.path.read_text("utf-8"), _folder(self.path))


def chapters() -> list[Chapter]:
    """All chapters in reading order."""
    return [_page(path) for path in sorted(DOCS.glob("[0-9][0-9]-*.md"))]


def steps() -> list[Chapter]:
    """The steps of the course, in order."""
    return [_page(path) for path in sorted((DOCS / "build").glob("[0-9][0-9]-*.md"))]


def course() -> Chapter:
    """The page before the first step."""
    return _page(DOCS / "build" / "README.md")


def listed(text: str) -> str:
    """The Markdown of the course's first page with the list of its steps."""
    lines = [f"{step.number}. [{step.title}]({step.path.name}), {step.minutes} minutes" for step in steps()]
    return TURN.sub("", text) + "\n<!-- steps -->\n" + "\n".join(lines) + "\n<!-- /steps -->\n"


def turned(chapter: Chapter, text: str) -> str:
    """The Markdown of a chapter or a step with a link to the next one at its end."""
    every = steps() if chapter.path.parent.name == "build" else chapters()
    after = every[chapter.number : chapter.number + 1]
    lines = [f"\n<!-- next -->\nNext: [{each.title}]({each.path.name})\n<!-- /next -->\n" for each in after]
    return TURN.sub("", text) + "".join(lines)


def reference() -> list[Chapter]:
    """The reference pages of the tutorial."""
    return [_page(DOCS / f"{name}.md") for name in REFERENCE]


def address(page: Chapter) -> str:
    """Where a chapter, a step or a reference page is served."""
    return f"{markdown.ADDRESSES[_folder(page.path)]}/{page.slug}"


def _page(path: Path) -> Chapter:
    return _read(path) if get_settings().is_development else _kept(path)


@cache
def _kept(path: Path) -> Chapter:
    return _read(path)


def _read(path: Path) -> Chapter:
    text = path.read_text("utf-8")
    number, name = path.stem[:2], path.stem[3:]
    numbered = number.isdigit()
    return Chapter(
        path=path,
        slug=name if numbered else path.stem,
        number=int(number) if numbered else 0,
        title=text.partition("\n")[0].removeprefix("# "),
        patterns=tuple(re.findall(r"`([a-z-]+)`", _paragraph(text, "Patterns: "))),
        minutes=_minutes(text),
    )


def _folder(path: Path) -> str:
    """Its folder, relative to the project. A file that is elsewhere is read as a chapter."""
    return path.parent.relative_to(ROOT).as_posix() if path.is_relative_to(DOCS) else DOCS.name


def _paragraph(text: str, start: str) -> str:
    return next((paragraph for paragraph in text.split("\n\n") if paragraph.startswith(start)), "")


def _minutes(text: str) -> int:
    read, typed = 0, 0
    for fence in code_blocks.all_in(text):
        added = [line for line in fence.body.splitlines() if fence.language != "diff" or line.startswith("+")]
        if fence.origin[0] in ("create", "change", "try"):
            typed += len(added)
        else:
            read += len(fence.body.splitlines())
    words = len(code_blocks.FENCE.sub("", text).split())
    return max(1, round(words / WORDS_A_MINUTE + read / LINES_A_MINUTE + typed / TYPED_A_MINUTE))
