"""A fresh production environment has everything that the application imports."""

import ast
import re
import sys
import tomllib
from importlib import metadata

import pytest

from app.settings import ROOT


def installed_with(requirements: list[str]) -> set[str]:
    """The distributions that these bring along, themselves included; names normalised as PEP 503 says."""
    found: set[str] = set()
    waiting = [(line, "") for line in requirements]
    while waiting:
        line, extras = waiting.pop()
        requirement, _, marker = line.partition(";")
        wanted = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        name, own_extras = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", requirement.strip()).groups("")  # type: ignore[union-attr]
        name = re.sub(r"[-_.]+", "-", name).lower()
        if (wanted and wanted[1] not in extras.split(",")) or f"{name}[{own_extras}]" in found:
            continue
        found |= {name, f"{name}[{own_extras}]"}
        try:
            waiting += [(needed, own_extras) for needed in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:
            continue  # for another platform
    return found


@pytest.mark.pattern("install")
def test_every_import_comes_with_a_dependency_of_ours() -> None:
    """The page's `ravyn[jwt]` brings neither the ORM nor the password library that its code imports."""
    ours = installed_with(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    imported = set()
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).partition(".")[0])
    brought_by = metadata.packages_distributions()

    missing = {
        name
        for name in imported - {"app", *sys.stdlib_module_names}
        if not ours & {re.sub(r"[-_.]+", "-", found).lower() for found in brought_by.get(name, ())}
    }

    assert not missing
