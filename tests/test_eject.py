"""`python -m app eject` in copies of this tree: nothing of what was taken out is left, and the rest stands.

Tried are the smallest kit and two more combinations, another one for each commit; EJECT=all tries every part alone and
every pair. EJECT=admin+notes tries that one.
"""

import os
import random
import re
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from app.cli import eject_plan
from app.cli.eject_parts import TEMPLATE
from tests.support.copies import copied, run
from tests.support.environment import ROOT  # template

pytestmark = pytest.mark.part("eject")

NAME = "Acme Desk"
PARTS = eject_plan.ejectable()
# Beside the whole: what comes back from `eject` with everything that it needs.
WHOLE = tuple(PARTS)


def with_needs(*names: str) -> tuple[str, ...]:
    """In the order of PARTS, with all that cannot be left behind."""
    wanted = set(names)
    while more := {need for name in wanted for need in PARTS[name].eject_needs if need in PARTS} - wanted:
        wanted |= more
    return tuple(name for name in PARTS if name in wanted)


def combinations_of_parts() -> list[tuple[str, ...]]:
    every = dict.fromkeys(with_needs(*each) for count in (1, 2) for each in combinations(PARTS, count))
    every.pop(WHOLE, None)
    if (asked := os.environ.get("EJECT", "")) == "all":
        return [*every, WHOLE]
    if asked:
        return [with_needs(*asked.split("+"))]
    commit = eject_plan.git("rev-parse", "HEAD") or ""
    return [*random.Random(commit).sample(list(every), min(2, len(every))), WHOLE]


# What would tell that something was there, and where the word means something else.
WORDS = {
    "learn": r"\blearn(?:\b|_)|\blab\b|\btutorial\b|\bChapters?: |mark\.pattern|\"markdown-it"
    r"|docs/(?:\d|patterns|glossary|problems|comparisons|coming-from|curl|port|switched-off|other-tutorials)",
    "template": r"mark\.template|docs/pictures|e2e\.pictures|\bfindings/|(?:scaffold|kits)\.md|tests[./](?:test_)?kits"
    r"|ready to build on|with Ravyn\.",
    "generate": r"app generate|cli[./]generate|\"generate\"|`generate|`destroy|features\.md|test_generate",
    "bench": r"\bbench\b|scaling\.md|make (?:soak|scale|peers)",
    "proofs": r"(?:decisions|security|mutants)\.md|tests[./](?:controls|mutants)|make (?:controls|mutants)",
    "eject": r"\beject\b|\beject_",
    "notes": r"\bnotes\b|\bnote_(?:rows|id|saved|deleted)\b|note-card|\bNote\b(?! the| over)|app\.notes",
}
ELSEWHERE = r"joan\+notes@|must learn of it|[Tt]utorials? key|FastAPI's tutorial|Spring Security tutorial|a tutorial's"
# What a clone is told of newer versions.
ELSEWHERE += r"|upgrade[-_]notes|^gone = |\(.notes., .learn.\)|the benchmarks \(`--bench`\)|takes out the generators"
OTHERS = {".lock", ".png", ".woff2"}
# What names every part: it goes with the template, or with the command.
OURS = ("app/cli/eject", "tests/test_eject.py", "tests/kits.py", "docs/kits.md")
# What a change of this kind breaks first, without the tests that take minutes.
QUICK = [
    "tests/home", "tests/db/test_migrations.py", "tests/db/test_constraints.py", "tests/account/test_data_export.py",
    "tests/account/test_sessions.py::test_each_device_leads_to_its_life_as_a_picture",
    "tests/contract/test_challenges.py", "tests/test_env_example.py",
    "tests/contract/test_matrix.py::test_public_routes_are_the_short_list", "tests/admin/test_export.py",
    "tests/deploy/test_files.py", "tests/test_readme.py", "tests/test_controls.py",
    "tests/test_decisions.py", "tests/test_source.py",
]  # fmt: skip


def texts(folder: Path) -> dict[str, str]:
    """Without what others wrote and what lists it, and without pictures."""
    kept = [path for path in folder.rglob("*") if path.is_file() and not {".git", "swagger"} & set(path.parts)]
    return {
        str(path.relative_to(folder)): path.read_text(errors="replace") for path in kept if path.suffix not in OTHERS
    }


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untouched."""
    return copied(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module", params=combinations_of_parts(), ids="+".join)
def ejected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    """And what was taken out of it. The whole of it goes together with the old name."""
    folder = copied(tmp_path_factory.mktemp("ejected"))
    name = ["--name", NAME] if request.param == WHOLE else []
    done = run(folder, "-m", "app", "eject", *(f"--{each}" for each in request.param), *name)
    assert done.returncode == 0, done.stderr
    return folder, request.param


def test_nothing_of_it_is_left(ejected: tuple[Path, tuple[str, ...]]) -> None:
    folder, gone = ejected
    left = texts(folder)

    assert not [path for name in gone for glob in PARTS[name].eject for path in folder.glob(glob)]
    for name in gone:
        words = re.compile(WORDS[name], re.MULTILINE)
        assert not [
            f"{path}: {line}"
            for path, text in left.items()
            if not path.startswith(OURS)
            for line in text.splitlines()
            if words.search(line) and not re.search(ELSEWHERE, line)
        ]
    routes = run(folder, "-m", "app", "routes")
    assert "/dashboard" in routes.stdout, routes.stderr
    assert not [route.path for name in gone for route in PARTS[name].routes if f" {route.path} " in routes.stdout]
    if gone == WHOLE:
        assert not [path for path in left if path.startswith(OURS)]
        assert "The Lanyard maintainers" in left.pop(eject_plan.KEPT)
        assert not [path for path, text in left.items() if re.search(r"lanyard", path + text, re.IGNORECASE)]


def test_project_without_the_template_starts_with_texts_of_its_own(tmp_path: Path) -> None:
    folder = copied(tmp_path)

    done = run(folder, "-m", "app", "eject", "--template", "--learn", "--name", NAME)

    assert done.returncode == 0, done.stderr
    left = texts(folder)
    assert left["README.md"].startswith(f"# {NAME}\n")
    assert left["README.md"].count("\n") < 60
    assert "learn" not in left["README.md"]
    targets = [
        link for link in re.findall(r"\]\(([^)\s#]+)", left["README.md"] + left["SECURITY.md"]) if "://" not in link
    ]
    assert "docs/operations.md" in targets
    assert [link for link in targets if not (folder / link).exists()] == []
    assert "<h1>{{ app_name }}</h1>" in left["templates/home/index.html"]
    assert left["CHANGELOG.md"].endswith("## [Unreleased]\n")


def test_every_asset_and_template_that_is_named_is_there(ejected: tuple[Path, tuple[str, ...]]) -> None:
    folder, _ = ejected
    left = texts(folder)
    code = "\n".join(text for path, text in left.items() if path.startswith(("app/", "templates/")))

    static = set(re.findall(r"static\(['\"]([\w.-]+)['\"]\)", code))
    templates = set(re.findall(r"(?:extends|from|include) \"([\w/.-]+\.html)\"", code))

    assert static
    assert {name for name in static if f"static/{name}" not in left} == set()
    assert {name for name in templates if f"templates/{name}" not in left} == set()


def test_what_is_left_passes_the_checks(ejected: tuple[Path, tuple[str, ...]]) -> None:
    folder, _ = ejected
    contracts = "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"

    for command in (["-m", "ruff", "check", "."], ["-m", "ruff", "format", "--check", "."], ["-c", contracts]):
        done = run(folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_left_passes_the_type_checker(ejected: tuple[Path, tuple[str, ...]]) -> None:
    """Without the types of other packages, which take minutes and which nothing here changes."""
    folder, _ = ejected

    alone = ["--no-site-packages", "--no-warn-unused-ignores", "--no-warn-unreachable"]
    done = run(folder, "-m", "mypy", *alone, "--cache-dir", str(folder.parent / "mypy"))

    assert done.returncode == 0, done.stdout


def test_what_is_left_passes_its_quick_tests(ejected: tuple[Path, tuple[str, ...]]) -> None:
    folder, _ = ejected

    there = [each for each in QUICK if (folder / each.partition("::")[0]).exists()]
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *there)

    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_dry_run_lists_and_changes_nothing(clone: Path) -> None:
    before = texts(clone)

    done = run(clone, "-m", "app", "eject", "--dry-run", *(f"--{name}" for name in PARTS))

    assert done.returncode == 0
    for name in ("learn", "notes"):
        assert re.search(rf"^delete  app/{name}/ \(\d+ files\)$", done.stdout, re.MULTILINE)
    assert re.search(r"^change  README.md \(\d+ lines fewer\)$", done.stdout, re.MULTILINE)
    assert texts(clone) == before


# template:
def test_tests_of_the_template_are_marked_and_can_be_taken_out(tmp_path: Path) -> None:
    marked = {
        path.name
        for path in ROOT.glob("tests/**/test_*.py")
        if "\npytestmark = pytest.mark.template" in path.read_text()
    }
    assert marked == {Path(path).name for path in TEMPLATE.eject if Path(path).name.startswith("test_")}
    folder = copied(tmp_path)

    done = run(folder, "-m", "app", "eject", "--template")

    assert done.returncode == 0, done.stderr
    assert not [path for path in TEMPLATE.eject if (folder / path).exists()]
    for command in (["ruff", "check", "."], ["pytest", "-q", "-p", "no:cacheprovider", "tests/test_source.py"]):
        done = run(folder, "-m", *command)
        assert done.returncode == 0, done.stdout[-2000:]


# /template
@pytest.mark.parametrize(
    ("spoil", "arguments", "reason"),
    [
        (lambda root: None, [], "say what to remove"),
        (lambda root: None, ["--proofs", "--template"], "--proofs needs --learn, too: its chapters lead there"),
        (lambda root: None, ["--generate", "--learn"], "--generate needs --template, too: README leads to the guide"),
        (lambda root: None, ["--name", "x; DROP TABLE"], "--name must be"),
        (lambda root: (root / "mine.txt").write_text("not committed"), ["--name", NAME], "uncommitted"),
        (
            lambda root: (root / "mine.py").write_text("x = 1\n# NAME:\n"),
            None,
            "mine.py: a mark without its other half",
        ),
        (lambda root: shutil.rmtree(root / ".git"), ["--name", NAME], "not a git repository"),
    ],
)
def test_what_cannot_be_done_well_is_refused_and_touches_nothing(
    tmp_path: Path, spoil: Callable[[Path], object], arguments: list[str] | None, reason: str
) -> None:
    name = next(iter(PARTS))
    folder = copied(tmp_path)
    spoil(folder)
    if (file := folder / "mine.py").exists():
        file.write_text(file.read_text().replace("NAME", name))
    before = texts(folder)

    done = run(folder, "-m", "app", "eject", *(arguments if arguments is not None else [f"--{name}"]))

    assert (done.returncode, done.stdout if "say" in reason else "") == (1, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert texts(folder) == before
