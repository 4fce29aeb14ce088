"""Which tests `make test` runs, and which only `make test-all`: a plugin of pytest.

    python -m pytest tests -p tests.sets --set=short

`short`: every rule and contract on SQLite, those that the database decides on PostgreSQL as well (mark `database`), and
the main paths in the browser. `rest`: all others. Those are races, several processes, programs that stand around it,
what else takes long (marks `race`, `ops`, `long`), and modules that work on copies of this tree (they import from
`tests.support.copies`). A new test is in `short` until it is marked.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

NOT_SHORT = {"long", "race", "ops"}
# What reaches a database, besides each feature with acts of its own.
ON_POSTGRESQL = (
    "tests/auth", "tests/mfa", "tests/audit", "tests/admin", "tests/cli", "tests/home", "tests/email", "tests/dev",
    "tests/contract", "tests/race", "tests/db", "tests/test_maintenance.py",
    "tests/learn/test_chapters.py",  # learn
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One process of pytest."""

    arguments: Sequence[str]
    postgresql: bool = False


def runs(wanted: str, parts: int, arguments: Sequence[str] = ()) -> list[Run]:
    """All runs that make up a set, SQLite in so many parts; `arguments` are for pytest."""
    chosen = ["-p", "tests.sets", f"--set={wanted}", *arguments]
    sqlite = [Run(["tests", *chosen, f"--part={part}/{parts}"]) for part in range(1, parts + 1)]
    return [*sqlite, Run(["e2e", *chosen]), Run([*database_tests(), *chosen], postgresql=True)]


def database_tests() -> list[str]:
    """The paths of those that `make postgresql` runs."""
    features = sorted(path.parent for path in Path("tests").glob("*/acts.py"))
    return [str(path) for path in (*ON_POSTGRESQL, *features) if Path(path).exists()]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--set", choices=["short", "rest"], help="one of the two sets that are all tests together")
    parser.addoption("--part", metavar="1/4", help="the first of four parts, by modules")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted, part = config.getoption("set"), config.getoption("part")
    kept = [item for item in items if not wanted or is_short(item) is (wanted == "short")]
    if part:
        number, count = map(int, part.split("/"))
        parts = split([_module(item) for item in kept], count)
        kept = [item for item in kept if parts[_module(item)] == number]
    if left_out := set(items).difference(kept):
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = kept


def is_short(item: pytest.Item) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    used = vars(getattr(item, "module", os)).values()
    if marks & NOT_SHORT or any(getattr(each, "__module__", "") == "tests.support.copies" for each in used):
        return False
    return "database" in marks or os.environ.get("TEST_DATABASE") != "postgresql"


def split(modules: Sequence[str], count: int) -> dict[str, int]:
    """Module -> the number of its part, from 1 on. `modules` names the module of each test: parts are of one size."""
    sizes, parts = [0] * count, {}
    for module, tests in sorted(Counter(modules).items(), key=lambda each: (-each[1], each[0])):
        smallest = sizes.index(min(sizes))
        sizes[smallest] += tests
        parts[module] = smallest + 1
    return parts


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
