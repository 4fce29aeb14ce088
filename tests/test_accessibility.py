"""docs/accessibility.md: every criterion of WCAG 2.2, levels A and AA, with a test that exists."""

import re

from app.settings import ROOT

TEXT = (ROOT / "docs" / "accessibility.md").read_text()
# WCAG 2.2, levels A and AA: guideline -> the numbers of its criteria.
CRITERIA = {
    "1.1": (1,), "1.2": (1, 2, 3, 4, 5), "1.3": (1, 2, 3, 4, 5), "1.4": (1, 2, 3, 4, 5, 10, 11, 12, 13),
    "2.1": (1, 2, 4), "2.2": (1, 2), "2.3": (1,), "2.4": (1, 2, 3, 4, 5, 6, 7, 11), "2.5": (1, 2, 3, 4, 7, 8),
    "3.1": (1, 2), "3.2": (1, 2, 3, 4, 6), "3.3": (1, 2, 3, 4, 7, 8), "4.1": (2, 3),
}  # fmt: skip


def test_every_criterion_is_in_the_list_once() -> None:
    wanted = [f"{guideline}.{number}" for guideline, numbers in CRITERIA.items() for number in numbers]

    listed: list[str] = []
    for first, last in re.findall(r"^\| (\d\.\d\.\d+)(?: to \d\.\d\.(\d))? ", TEXT, re.MULTILINE):
        guideline, _, number = first.rpartition(".")
        listed += [f"{guideline}.{each}" for each in range(int(number), int(last or number) + 1)]

    assert len(wanted) == 55
    assert listed == wanted


def test_tests_of_the_list_exist() -> None:
    rows = re.findall(r"^\| \d\.\d\.\d.*\| ([^|]+) \|$", TEXT, re.MULTILINE)

    for shown in rows:
        files = re.findall(r"`([^`]+)`", shown)
        assert files or shown in ("axe", "read"), shown
        assert all((ROOT / file).is_file() for file in files), shown
