"""Takes one check after the other out of the code, and says which of them no test misses (`make mutants`).

    python -m tests.mutants [--jobs 2] [app/auth/sessions.py ...]

Each change makes one mutant; the tests that enter the changed function run on it until one fails. Can be stopped and
goes on where it was: what is known stands in var/mutants, and is found again as long as function and tests stay as they
are. At its end it writes docs/mutants.md anew, and fails for a survivor that has no reason there.
"""

import argparse
import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from tests.mutants import changes, record, runs
from tests.mutants.altered import Altered
from tests.support.environment import ROOT

CHECKED = [
    *(
        f"app/auth/{name}.py"
        for name in (
            "accounts", "administration", "badges", "closing", "cookies", "counters", "credentials", "guards",
            "identity", "judge", "keys", "links", "passwords", "recovery", "registration", "sessions", "throttle",
            "tokens",
        )
    ),
    *(f"app/mfa/{name}.py" for name in ("codes", "factors", "passkeys")),
    *(
        f"app/web/{name}.py"
        for name in ("addresses", "bodies", "client", "cookies", "forms", "hardening", "headers", "origin", "urls")
    ),
]  # fmt: skip
FOLDERS = [
    f"tests/{name}"
    for name in (
        "auth",
        "mfa",
        "web",
        "contract",
        "account",
        "admin",
        "audit",
        "home",
        "notes",
        "mail",
        "commands",
        "learn/lab",
    )
]
KNOWN = ROOT / "var" / "mutants"
MOST_SECONDS = 60.0  # CPU time of the tests that one mutant may take
Entries = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("paths", nargs="*", default=CHECKED)
    options = parser.parse_args()
    KNOWN.mkdir(parents=True, exist_ok=True)
    entries = map_of_tests()
    runs.prepare(FOLDERS)
    asked = [case for path in options.paths for case in cases(path, entries)]
    known = verdicts()
    open_ = [case for case in asked if case["key"] not in known]
    print(f"{len(asked)} mutants, {len(open_)} of them to run")
    children = [fork(open_[number :: options.jobs]) for number in range(options.jobs)]
    for child in children:
        os.waitpid(child, 0)
    known = verdicts()
    missing = [case for case in asked if case["key"] not in known]
    if missing:
        print(f"stopped with {len(missing)} to go")
        return 1
    alive = [case["id"] for case in asked if not known[case["key"]]]
    reasons = record.write(options.paths, alive)
    without = [change for change, reason in reasons.items() if not reason]
    print(f"{len(alive)} survived; {len(without)} lines of docs/mutants.md have no reason")
    return 1 if without else 0


def map_of_tests() -> Entries:
    """Test -> what it enters and how long it takes; files that have not changed since are not run again."""
    kept = KNOWN / "entries.json"
    known: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    here: dict[str, Any] = {}
    for folder in FOLDERS:
        files = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / folder).glob("test_*.py"))}
        digests = {name: digest(path.read_text()) for name, path in files.items()}
        changed = [name for name in files if known.get(name, {}).get("digest") != digests[name]]
        found = runs.entries(CHECKED, changed) if changed else {}
        for name in changed:
            mine = {test: each for test, each in found.items() if test.partition("::")[0] == name}
            known[name] = {"digest": digests[name], "tests": mine}
        here |= {name: known[name] for name in files}
        kept.write_text(json.dumps(known))
    return {test: each | {"file": file["digest"]} for file in here.values() for test, each in file["tests"].items()}


def cases(path: str, entries: Entries) -> list[dict[str, Any]]:
    """What there is to run for each change of this file; `key` moves with the function and with its tests."""
    tree = ast.parse((ROOT / path).read_text())
    found = []
    for number, change in enumerate(changes.of(path, tree)):
        tests = fitting(path, change.where, tree, entries)
        text = source(tree, change.where)
        key = digest("\n".join([change.id, text, *(f"{test} {entries[test]['file']}" for test in tests)]))
        found.append({"id": change.id, "path": path, "number": number, "tests": tests, "key": key,
                      "seconds": sum(entries[test]["seconds"] for test in tests)})  # fmt: skip
    return found


def fitting(path: str, where: str, tree: ast.Module, entries: Entries) -> list[str]:
    """The tests that enter the function; for what is no function, those that enter one which names it.

    First those of the test file that mirrors this one, then those that enter few functions.
    """
    functions = {f"{path} {where}"}
    if not any(functions & set(each["enters"]) for each in entries.values()):
        name = where.partition(".")[0]
        functions = {
            f"{path} {node.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))
        }
    mirror = path.replace("app/", "tests/").rpartition("/")
    mine = f"{mirror[0]}/test_{mirror[2]}"
    fits = [test for test, each in entries.items() if functions & set(each["enters"])]
    fits.sort(key=lambda test: (not test.startswith(mine), len(entries[test]["enters"])))
    chosen, seconds = [], 0.0
    for test in fits:
        seconds += entries[test]["seconds"]
        if seconds > MOST_SECONDS:
            break
        chosen.append(test)
    return chosen


def source(tree: ast.Module, where: str) -> str:
    """The text of the outermost definition that holds it, without comments."""
    name = where.partition(".")[0]
    for node in tree.body:
        names = [getattr(node, "name", "")] + [getattr(each, "id", "") for each in getattr(node, "targets", [])]
        if name in names:
            return ast.unparse(node)
    return ""


def fork(mine: list[dict[str, Any]]) -> int:
    """A process that runs these one after the other, and writes down each verdict at once."""
    child = os.fork()
    if child:
        return child
    try:
        with (KNOWN / "verdicts.jsonl").open("a", buffering=1) as file:
            for case in mine:
                by = verdict(case)
                file.write(json.dumps({"key": case["key"], "id": case["id"], "by": by}) + "\n")
                print(f"{'killed  ' if by else 'SURVIVED'} {case['id']}", flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        os._exit(0)


def verdict(case: dict[str, Any]) -> str:
    if not case["tests"]:
        return ""

    def change(path: str, tree: ast.Module) -> None:
        changes.of(path, tree)[case["number"]].apply()

    altered = Altered([case["path"]], change)
    return runs.first_failure(altered, case["tests"], 60 + 10 * case["seconds"])


def verdicts() -> dict[str, str]:
    """Key -> the test that told the mutant from the code, "" for a survivor."""
    kept = KNOWN / "verdicts.jsonl"
    lines: Iterable[str] = kept.read_text().splitlines() if kept.exists() else []
    return {line["key"]: line["by"] for line in map(json.loads, lines)}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
