"""docs/features.md, followed in a copy of this tree: each command runs, and prints what stands there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from app.settings import ROOT
from tests.learn.course import Reader
from tests.support.copies import copied

GUIDE = ROOT / "docs" / "features.md"
NUMBER = re.compile(r"\b0\d{3}(?=_|\b)|\d\d(?= new\))")  # of migrations: one more for each that this tree gets


def followed(folder: Path) -> str:
    """The text as the commands print it in a copy there."""
    clone, programs = copied(folder / "clone"), folder / "programs"
    (clone / ".venv").symlink_to(Path(sys.prefix))
    programs.mkdir()
    make = programs / "make"  # installs nothing: the packages are those of the tests
    made = " ".join(f"-o .venv/{stamp}" for stamp in (".made", ".run", ".dev"))
    make.write_text(f'#!/bin/sh\nexec {shutil.which("make")} {made} "$@"\n')
    make.chmod(0o755)
    subprocess.run([make, ".env"], cwd=clone, check=True, capture_output=True)  # as the first `make run` did
    reader = Reader(clone, programs)
    try:
        return reader.follow(GUIDE.read_text())
    finally:
        reader.close()


def test_guide_prints_what_its_commands_print(tmp_path: Path) -> None:
    text = followed(tmp_path)

    assert NUMBER.sub("NNNN", text) == NUMBER.sub("NNNN", GUIDE.read_text()), (
        "python -m tests.learn.test_features_guide"
    )


if __name__ == "__main__":
    GUIDE.write_text(followed(Path(sys.argv[1])))
