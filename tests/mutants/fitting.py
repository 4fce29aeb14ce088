"""Which tests fit a mutant: those that enter the changed function. Learned in one run of them all, and kept."""

import ast
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.mutants import runs
from tests.support.environment import ROOT

MOST_SECONDS = 20.0  # CPU time of the tests that one mutant may take


class Tests:
    """`of[test]`: {"seconds", "enters", "file"}, the last one the digest of its file."""

    def __init__(self, of: dict[str, Any]) -> None:
        self.of = of
        self._entering = defaultdict(list)
        for test, each in of.items():
            for function in each["enters"]:
                self._entering[function].append(test)

    def fitting(self, path: str, where: str, tree: ast.Module) -> list[str]:
        """For what is no function: the tests that enter one which names it.

        First those of the test file that mirrors this one, then those that enter few functions.
        """
        found = self._entering.get(f"{path} {where}") or [
            test for function in naming(tree, where) for test in self._entering.get(f"{path} {function}", [])
        ]
        folder, _, name = path.replace("app/", "tests/").rpartition("/")
        mirror = f"{folder}/test_{name}"
        found = sorted(
            dict.fromkeys(found), key=lambda test: (not test.startswith(mirror), len(self.of[test]["enters"]))
        )
        chosen, seconds = [], 0.0
        for test in found:
            seconds += self.of[test]["seconds"]
            if seconds > MOST_SECONDS:
                break
            chosen.append(test)
        return chosen

    def file(self, test: str) -> str:
        return str(self.of.get(test, {}).get("file", ""))


def collect(kept: Path, paths: list[str], folders: list[str]) -> Tests:
    """What each test enters of these files. Test files that have not changed since are not run again."""
    known: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    here: dict[str, Any] = {}
    for folder in folders:
        files = files_of(folder)
        digests = {name: digest(path.read_text()) for name, path in files.items()}
        changed = [name for name in files if known.get(name, {}).get("digest") != digests[name]]
        found = runs.entries(paths, changed) if changed else {}
        for name in changed:
            mine = {test: each for test, each in found.items() if test.partition("::")[0] == name}
            known[name] = {"digest": digests[name], "tests": mine}
        here |= {name: known[name] for name in files}
        kept.write_text(json.dumps(known))
    return Tests(
        {test: each | {"file": file["digest"]} for file in here.values() for test, each in file["tests"].items()}
    )


def files_of(folder: str) -> dict[str, Path]:
    """Also those in folders of it, by their path from the root."""
    return {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / folder).rglob("test_*.py"))}


def naming(tree: ast.Module, where: str) -> list[str]:
    """The functions in which that name is used."""
    name = where.partition(".")[0]
    return [
        function
        for function, node in functions(tree, "")
        if any(getattr(each, "id", getattr(each, "attr", "")) == name for each in ast.walk(node))
    ]


def functions(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        inside = where
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{where}.{child.name}" if where else child.name
            if not isinstance(child, ast.ClassDef):
                yield inside, child
        yield from functions(child, inside)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
