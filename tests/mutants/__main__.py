"""Takes one check after the other out of the code, and says which of them no test misses (`make mutants`).

    python -m tests.mutants [--jobs 2] [app/auth/sessions/rotation.py ...]

Each change makes one mutant; the tests that enter the changed function run on it until one fails. Can be stopped and
goes on where it was: what is known stands in var/mutants, and is found again as long as function and tests stay as they
are. At its end it writes docs/mutants.md anew, and fails for a survivor that has no reason there.
"""

import argparse
import ast
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from tests.mutants import changes, fitting, record, runs
from tests.mutants.altered import Altered
from tests.support.environment import ROOT

CHECKED = [
    f"app/{folder}/{name}.py"
    for folder, names in {
        "auth": "authentication challenges cookies email_links form_submissions idempotency keys passwords permissions "
        "redirects roles tokens",
        "auth/accounts": "account_deletion email_change login_flow logout_flow new_device password_change "
        "password_reset profile signup user_admin",
        "auth/rate_limit": "attempts counters known_devices limits quotas",
        "auth/sessions": "device_binding reuse_review rotation rotation_policy session_cache",
        "auth/streams": "events open_streams sockets",
        "db": "scope",
        "mfa": "cbor code_input enrolment passkeys recovery_codes second_factor totp webauthn",
        "web": "bodies client cookies email_address forms framework_patches paging request_limits "
        "same_origin security_headers speculation urls",
    }.items()
    for name in names.split()
]
FOLDERS = [
    f"tests/{name}"
    for name in ("auth", "mfa", "web", "contract", "account", "admin", "audit", "home", "email", "cli", "db")
]
FOLDERS += ["tests/learn/lab"]  # learn
FOLDERS += ["tests/notes"]  # notes
KEPT = ROOT / "var" / "mutants"
SLACK = 60, 10  # seconds and times what the tests take of CPU time: then it goes round for ever


@dataclass
class Case:
    """`code`: the digest of the definition that is changed."""

    change: changes.Change
    number: int  # of the changes of its file
    code: str
    tests: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("paths", nargs="*", default=CHECKED)
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    tests = fitting.collect(KEPT / "entries.json", CHECKED, FOLDERS)
    runs.prepare(FOLDERS)
    asked = [case for path in options.paths for case in cases(path, tests)]
    known = decisions()
    waiting = [case for case in asked if told(case, tests, known) is None]
    print(f"{len(asked)} mutants, {len(waiting)} of them to run")
    children = [fork(waiting[number :: options.jobs], tests) for number in range(options.jobs)]
    for child in children:
        os.waitpid(child, 0)
    known = decisions()
    by = {case.change.id: told(case, tests, known) for case in asked}
    if left := [name for name, test in by.items() if test is None]:
        print(f"stopped with {len(left)} to go")
        return 1
    reasons = record.write(options.paths, [name for name, test in by.items() if not test])
    without = [name for name, reason in reasons.items() if not reason]
    print(f"{len(by)} mutants, {len(reasons)} lines in docs/mutants.md, {len(without)} of them without a reason")
    return 1 if without else 0


def cases(path: str, tests: fitting.Tests) -> list[Case]:
    """What there is to run for each change of this file."""
    tree = ast.parse((ROOT / path).read_text())
    digests = {name: fitting.digest(ast.unparse(node)) for node in tree.body for name in names(node)}
    return [
        Case(change, number, digests.get(change.where.partition(".")[0], ""), tests.fitting(path, change.where, tree))
        for number, change in enumerate(changes.of(path, tree))
    ]


def names(node: Any) -> list[str]:
    return [getattr(node, "name", ""), *(getattr(each, "id", "") for each in getattr(node, "targets", []))]


def told(case: Case, tests: fitting.Tests, known: dict[str, dict[str, str]]) -> str | None:
    """Which test told the mutant from the code, "" for a survivor; None where code or tests have changed since."""
    line = known.get(case.change.id)
    if line is None or line["code"] != case.code:
        return None
    return line["by"] if line["against"] == against(line["by"], case, tests) else None


def against(by: str, case: Case, tests: fitting.Tests) -> str:
    """What a verdict holds for: the file of the test that killed, or all tests that a survivor has survived."""
    return tests.file(by) if by else fitting.digest("\n".join(f"{test} {tests.file(test)}" for test in case.tests))


def fork(mine: list[Case], tests: fitting.Tests) -> int:
    """A process that runs these one after the other, and writes down each verdict at once."""
    child = os.fork()
    if child:
        return child
    try:
        with (KEPT / "verdicts.jsonl").open("a", buffering=1) as file:
            for case in mine:
                by = decision(case, tests)
                line = {"id": case.change.id, "code": case.code, "by": by, "against": against(by, case, tests)}
                file.write(json.dumps(line) + "\n")
                print(f"{'killed  ' if by else 'SURVIVED'} {case.change.id}", flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        os._exit(0)


def decision(case: Case, tests: fitting.Tests) -> str:
    if not case.tests:
        return ""

    def change(path: str, tree: ast.Module) -> None:
        changes.of(path, tree)[case.number].apply()

    seconds, times = SLACK
    limit = seconds + times * sum(tests.of[test]["seconds"] for test in case.tests)
    return runs.first_failure(Altered([case.change.path], change), case.tests, limit)


def decisions() -> dict[str, dict[str, str]]:
    """The last one of each change."""
    kept = KEPT / "verdicts.jsonl"
    lines = kept.read_text().splitlines() if kept.exists() else []
    return {line["id"]: line for line in map(json.loads, lines)}


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
