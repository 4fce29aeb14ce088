"""`make docs`: update code and outputs in the chapters, the table in docs/patterns.md, and the transcripts.

It is in tests/, because the tests record the outputs. A test fails if any of these files is not up to date.
The outputs of the course take minutes: `make course` records them.
"""

import asyncio
import json
import os
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from tests.learn import outputs  # isort: skip - the settings of the tests come first

from app import db
from app.learn import chapters, code_blocks, pattern_index
from app.main import create_app
from tests.learn import curl
from tests.learn.commands import COMMANDS
from tests.patterns import printed
from tests.support import database

PATTERNS = chapters.DOCS / "patterns.md"


def main() -> None:
    written = json.dumps(printed.transcripts(), indent=1, ensure_ascii=False) + "\n"
    changed = _write(code_blocks.TRANSCRIPTS, written)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):  # the log
        recorded = asyncio.run(_recorded()) | {name: run() for name, run in COMMANDS.items()}
    for chapter in [*chapters.chapters(), *chapters.reference()]:
        text = code_blocks.filled(chapter.path.read_text("utf-8"), recorded, headed=True)
        changed += _write(chapter.path, chapters.turned(chapter, text) if chapter.number else text)
    changed += _write(curl.PAGE, curl.recorded())
    for step in chapters.steps():
        changed += _write(step.path, chapters.turned(step, step.path.read_text("utf-8")))
    course = chapters.course().path
    changed += _write(course, chapters.listed(course.read_text("utf-8")))
    changed += _write(PATTERNS, pattern_index.written_into(PATTERNS.read_text("utf-8")))
    print(f"{changed} files written" if changed else "All files are up to date.")


async def _recorded() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        db.point_at(database.fresh(Path(folder)))
        await db.connect()
        try:
            return await outputs.record(create_app())
        finally:
            await db.disconnect()


def _write(path: Path, text: str) -> int:
    if path.exists() and path.read_text("utf-8") == text:
        return 0
    path.write_text(text, "utf-8")
    return 1


if __name__ == "__main__":
    main()
