"""The parts that `eject` can take out and that are no feature of the site: they have no routes and no table."""

from app.web.features import Feature

# README, the front page and the changelog of a new project, in place of this starter's own.
FILES = "app/cli/eject_files"
TEMPLATE = Feature(
    name="template",
    description="what this starter says of itself: a short README and a plain front page take its place; "
    "its pictures go, and the tests that keep all that true",
    eject=(
        "docs/scaffold.md", "docs/kits.md", "docs/pictures", "e2e/pictures.py", "findings", "tests/test_readme.py",
        FILES, "tests/test_clone.py", "tests/test_repository.py", "tests/test_scaffold.py", "tests/test_findability.py",
        "tests/test_words.py", "tests/kits.py", "tests/test_kits.py",
    ),
)  # fmt: skip
GENERATE = Feature(
    name="generate",
    description="the commands that write code of your own, `generate` and `destroy`, and their guide",
    eject=("app/cli/generate", "tests/cli/test_generate.py", "docs/features.md"),
    eject_needs={"learn": "its tests follow the guide", "template": "README leads to the guide"},
)
BENCH = Feature(
    name="bench",
    description="the benchmarks, their results and the scaling page",
    eject=("bench", "docs/scaling.md", "tests/test_compare.py", "tests/test_scaling.py"),
)
PROOFS = Feature(
    name="proofs",
    description="what argues for this starter: decisions, threats, the table of ASVS requirements, mutation tests",
    eject=(
        "docs/decisions.md", "docs/security.md", "docs/asvs-ids.csv", "docs/mutants.md", "tests/test_decisions.py",
        "tests/controls.py", "tests/test_controls.py", "tests/mutants",
    ),
    eject_needs={"learn": "its chapters lead there", "template": "README and SECURITY.md lead there"},
)  # fmt: skip
EJECT = Feature(
    name="eject",
    description="this command itself, once nothing else has to go",
    eject=("app/cli/eject.py", "app/cli/eject_*.py", "tests/test_eject.py"),
    eject_needs={"template": "without it nothing writes the texts of the new project"},
)
PARTS = (TEMPLATE, GENERATE, BENCH, PROOFS, EJECT)
