"""A mutant that a test knows is killed by it, and one that changes nothing survives: in a process of its own."""

import subprocess
import sys
from textwrap import dedent

from tests.support.environment import ROOT

# In a process of its own, which has not imported the application yet.
PLAY = """
    import ast, json, sys
    from tests.mutants import changes, runs
    from tests.mutants.altered import Altered

    PATH, FILE = "app/auth/sessions/rotation_policy.py", "tests/auth/sessions/test_rotation_policy.py"
    if __name__ == "__main__":
        entries = runs.entries([PATH], [FILE])
        tests = [test for test, each in entries.items() if f"{PATH} decide" in each["enters"]]
        verdicts = {}
        for what in ("never `if g > session.generation`", ""):
            def change(path, tree, what=what):
                [each.apply() for each in changes.of(path, tree) if each.what == what]
            verdicts[what] = runs.first_failure(Altered([PATH], change), tests, 60)
        print()
        print(json.dumps({"tests": len(tests), "verdicts": list(verdicts.values())}))
"""


def test_mutant_is_killed_by_the_test_that_knows_the_check_and_the_code_itself_by_none() -> None:
    import json

    ran = subprocess.run([sys.executable, "-c", dedent(PLAY)], cwd=ROOT, capture_output=True, text=True)

    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["tests"] > 30
    killed, survived = said["verdicts"]
    assert killed.startswith("tests/auth/sessions/test_rotation_policy.py::test_decision[")
    assert survived == ""
