"""docs/scaffold.md: what it says of Ravyn's scaffold holds for the installed package, and its targets are here."""

import re
from pathlib import Path

import pytest
import ravyn

from app.settings import ROOT

pytestmark = pytest.mark.template

TEMPLATES = Path(ravyn.__file__).parent / "conf" / "directives"
OPERATIONS = Path(ravyn.__file__).parent / "core" / "directives" / "operations"
TABLE = re.findall(r"^\| (?!scaffold|---)(.+?) \| (.+?) \| (.*?) ?\|$", (ROOT / "docs/scaffold.md").read_text(), re.M)
WRITTEN = "\n".join(path.read_text() for path in TEMPLATES.rglob("*-tpl"))
THEIRS = {re.sub(r"(\.e)?-tpl$", "", str(path.relative_to(TEMPLATES))) for path in TEMPLATES.rglob("*")}
COMMANDS = {path.stem for path in OPERATIONS.iterdir()}


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("name", sorted({name for first, _, _ in TABLE for name in named(first)}))
def test_scaffold_has_what_is_said_of_it(name: str) -> None:
    command = name.removeprefix("ravyn ")
    is_file = any(f"/{path}/".endswith(f"/{name.strip('/')}/") for path in THEIRS)

    assert is_file or command in COMMANDS or name.partition("(")[0] in WRITTEN, name


@pytest.mark.parametrize("name", sorted({name for _, second, _ in TABLE for name in named(second) if "/" in name}))
def test_what_it_leads_to_is_here(name: str) -> None:
    assert (ROOT / name).exists()


def test_table_was_read() -> None:
    assert len(TABLE) > 12
