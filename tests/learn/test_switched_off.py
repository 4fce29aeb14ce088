"""docs/switched-off.md: each attack on the course's finished folder fails with the check and works without it.

The changes are made in a copy of that folder and in no file of this application.
"""

import re
from pathlib import Path

from app.learn import chapters, code_blocks
from tests.learn import course, fresh_environment
from tests.learn.course import Reader
from tests.learn.test_port import course_folder

PAGE = chapters.DOCS / "switched-off.md"


class Attacker(Reader):
    """A reader whose server starts anew after each change, as uvicorn's --reload does."""

    def _run(self, command: str) -> str:
        if self._server is not None:
            self.serve()
        return super()._run(command)


def followed(folder: Path, programs: Path) -> str:
    reader = Attacker(course_folder(folder / "course"), programs)
    try:
        return reader.follow(PAGE.read_text())
    finally:
        reader.close()


def test_each_attack_prints_what_the_page_says(programs: Path, tmp_path: Path) -> None:
    assert followed(tmp_path, programs) == PAGE.read_text(), "python -m tests.learn.test_switched_off"


def test_each_section_changes_one_check_and_its_attack_ends_differently() -> None:
    for section in re.split(r"^(?=## )", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        fences = code_blocks.all_in(section)
        before, change, after = fences
        assert change.says["try"] in ("tokens.py", "sessions.py", "edge.py", "auth.py")
        assert before.body.splitlines()[-1] != after.body.splitlines()[-1], section


if __name__ == "__main__":
    import tempfile

    scratch = Path(tempfile.mkdtemp())
    PAGE.write_text(followed(scratch, fresh_environment.make(scratch / "venv", course.requirements())))
