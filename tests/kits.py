"""Writes the table of docs/kits.md: what is left of this starter after `eject`, measured in copies.

    python -m tests.kits

A row is a kit: what was taken out of it, its size, and what it costs to build the application once. The processor time
is the least of three, for other programs on the machine can only add to it. `tests/test_kits.py` compares the sizes.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from app.cli import eject_plan
from tests.support.copies import copied, run
from tests.support.environment import ROOT

TARGET = ROOT / "docs" / "kits.md"
MARKS = "<!-- kits -->\n", "<!-- /kits -->"
KITS: dict[str, tuple[str, ...]] = {
    "the whole": (),
    "a site of your own": ("learn", "template", "bench", "proofs"),
    "the smallest": tuple(eject_plan.ejectable()),
}
HEAD = (
    "| kit | without | lines of Python in `app` | files in `app` | tests | start, s of processor time | memory, MiB |\n"
    "|---|---|---|---|---|---|---|\n"
)
BUILD = """
import resource, time
from app.main import create_app
create_app()
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


class Size(NamedTuple):
    lines: int  # of Python, migrations included
    files: int  # of every kind


def size(folder: Path) -> Size:
    files = [path for path in (folder / "app").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return Size(sum(path.read_text("utf-8").count("\n") for path in files if path.suffix == ".py"), len(files))


def made(kit: str, folder: Path) -> Path:
    """A copy in `folder`, without what the kit leaves out. Errors: RuntimeError with what `eject` said."""
    copied(folder)
    if parts := KITS[kit]:
        _said(folder, "-m", "app", "eject", *(f"--{part}" for part in parts))
    return folder


def written() -> dict[str, Size]:
    """What the table says of each kit."""
    rows = re.findall(r"^\| ([\w ]+) \| [^|]+ \| ([\d,]+) \| ([\d,]+) \|", TARGET.read_text("utf-8"), re.MULTILINE)
    return {kit: Size(*(int(number.replace(",", "")) for number in numbers)) for kit, *numbers in rows}


def _row(kit: str, folder: Path) -> str:
    lines, files = size(made(kit, folder))
    collected = _said(folder, "-m", "pytest", "tests", "--collect-only", "-q")
    tests = re.search(r"^(\d+) tests? collected", collected, re.MULTILINE)
    assert tests
    builds = [tuple(map(float, _said(folder, "-c", BUILD).split())) for _ in range(3)]
    seconds, memory = (min(each) for each in zip(*builds, strict=True))
    without = ", ".join(f"`{part}`" for part in KITS[kit]) or "nothing"
    return f"| {kit} | {without} | {lines:,} | {files:,} | {int(tests[1]):,} | {seconds:.2f} | {memory:.0f} |\n"


def _said(folder: Path, *arguments: str) -> str:
    done = run(folder, *arguments)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:] + done.stdout[-2000:])
    return done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        table = HEAD + "".join(_row(kit, Path(scratch) / str(number)) for number, kit in enumerate(KITS))
    before, _, rest = TARGET.read_text("utf-8").partition(MARKS[0])
    TARGET.write_text(before + MARKS[0] + table + MARKS[1] + rest.partition(MARKS[1])[2], "utf-8")
    sys.stdout.write(table)


if __name__ == "__main__":
    main()
