"""Writes the tables of docs/security.md: where the code meets a requirement of the ASVS, and which test covers it.

    python -m tests.controls     (make controls)

Out of the ids, such as v5.0.0-6.2.5, that docstrings and comments of the code and of the tests name; v5.0.0-3.4.* names
a whole section. Covered is what a test names. The ids and levels stand in docs/asvs-ids.csv, with titles of our own,
and with the reason where no test covers one.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "docs" / "asvs-ids.csv"
TARGET = ROOT / "docs" / "security.md"
MARKS = "<!-- controls -->\n", "<!-- /controls -->"
CODE, TESTS = ("app", "templates", "static", "deploy"), ("tests", "e2e")
NAMED = re.compile(r"\bv5\.0\.0-(\d+)\.(\d+)\.(\d+|\*)")
SHOWN = 3  # places in a row of the table


@dataclass
class Control:
    id: str
    level: str
    title: str
    without_test: str = ""  # why
    code: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)

    @property
    def chapter(self) -> str:
        return self.id.partition("-")[2].partition(".")[0]


def main() -> None:
    controls = collect()
    TARGET.write_text(written_into(TARGET.read_text(), controls))


def collect() -> list[Control]:
    """Every requirement of the list, with the places that name it. Errors: ValueError for an id that is not on it."""
    with LIST.open(newline="") as file:
        controls = {row["id"]: Control(**row) for row in csv.DictReader(file)}
    for folders, attribute in ((CODE, "code"), (TESTS, "tests")):
        for path, number, id_ in places(folders):
            meant = [each for each in controls if each == id_ or (id_.endswith("*") and each.startswith(id_[:-1]))]
            if not meant:
                raise ValueError(f"{path}:{number} names {id_}, which docs/asvs-ids.csv does not have")
            for each in meant:
                known = getattr(controls[each], attribute)
                if path not in [place.partition(":")[0] for place in known]:
                    known.append(f"{path}:{number}")
    return list(controls.values())


def places(folders: Iterable[str]) -> Iterable[tuple[str, int, str]]:
    """(file, line, id), in the order of the files."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix in (".py", ".html", ".js", ".css", ".yaml", ".sql", "") and path.is_file():
                if name.startswith(("static/swagger/", "tests/controls")) or "/__pycache__/" in name:
                    continue
                for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
                    for found in NAMED.finditer(line):
                        yield name, number, found.group()


def tables(controls: list[Control]) -> str:
    covered = [control for control in controls if control.tests]
    lines = [*counts(controls), ""]
    for chapter, group in groupby(covered, key=lambda control: control.chapter):
        lines += [f"### Chapter {chapter}", "", "| id | level | | code | test |", "|---|---|---|---|---|"]
        lines += [row(control) for control in group]
        lines.append("")
    lines += ["### Accepted without a test", "", "| id | level | | why |", "|---|---|---|---|"]
    lines += [
        f"| {control.id} | {control.level} | {control.title} | {control.without_test} |"
        for control in controls
        if not control.tests
    ]
    return "\n".join(lines) + "\n"


def row(control: Control) -> str:
    cells = (control.id, control.level, control.title, shown(control.code), shown(control.tests))
    return f"| {' | '.join(cells)} |"


def shown(places: list[str]) -> str:
    """Files alone: line numbers would change with every commit."""
    files = [f"`{place.partition(':')[0]}`" for place in places]
    return ", ".join(files[:SHOWN]) + (f" and {len(files) - SHOWN} more" if len(files) > SHOWN else "")


def counts(controls: list[Control]) -> list[str]:
    of_all = Counter(control.level for control in controls)
    covered = Counter(control.level for control in controls if control.tests)
    lines = ["| level | apply | covered by a test |", "|---|---|---|"]
    return lines + [f"| {level} | {of_all[level]} | {covered[level]} |" for level in sorted(of_all)]


def written_into(page: str, controls: list[Control]) -> str:
    """The page with the tables between its two marks made anew. Errors: ValueError if a mark is missing."""
    before, mark, rest = page.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        raise ValueError(f"{TARGET.name} lacks {' or '.join(each.strip() for each in MARKS)}")
    return before + mark + tables(controls) + end + after


if __name__ == "__main__":
    main()
