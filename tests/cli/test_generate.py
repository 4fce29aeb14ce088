"""`python -m app generate`: what it writes passes its own tests, and what it refuses leaves no file.

The shapes are generated in copies of this tree. One of them is tried with the ordinary tests; all of them, on both
databases, with `LONG=1 make unit T=tests/cli/test_generate.py`.
"""

import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import db
from app.__main__ import main
from app.cli.generate import spec, writing
from app.cli.generate.spec import Refused
from tests.support.copies import copied, run
from tests.support.environment import ROOT

PROJECTS = ["projects", "title:str", "due:date", "status:choice(open,done)", "owner"]
# Each is a feature; references lead to those before it.
SHAPES = {
    "as in the README": PROJECTS,
    "one field": ["payments", "amount:int"],
    "one that is optional": ["wishes", "detail:text:optional"],
    "unique": ["people", "name:str:unique", "born:date:optional", "--singular", "person"],
    "unique number": ["categories", "code:int:unique", "body:text"],
    "two words": ["work_items", "name:str", "done:bool"],
    "longest name": ["abcdefghij_abcdefghijabs", f"{'abcdefghij_' * 2}ab:str"],
    "a reference": ["boxes", "label_text:str", "project:reference(projects)"],
    "two references": [
        "meetings", "starts:datetime", "project:reference(projects)", "person:reference(people):optional",
    ],
    "twelve fields": [
        "tasks", "name:str", "number:int", "price:decimal", "paid:bool", "due:date", "starts:datetime",
        "status:choice(open,in_progress,done)", "detail:text", "box:reference(boxes):optional",
        "weight:decimal:optional", "url:str:unique:optional", "kind:choice(a,b):optional",
    ],
}  # fmt: skip
TYPES = ["-m", "mypy"]  # minutes, in a copy without its cache
CHECKS = (
    ["-m", "ruff", "check", "."],
    ["-m", "ruff", "format", "--check", "."],
    ["-c", "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"],
)


def generate(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run(folder, "-m", "app", *arguments)


def passes(folder: Path, *tests: str, postgresql: bool = False) -> None:
    """Those tests in the copy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TEST_"))}
    environment |= {"TEST_DATABASE": "postgresql"} if postgresql else {}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr


def checked(folder: Path, *commands: list[str]) -> None:
    for command in commands:
        done = run(folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("clone"))


def test_feature_passes_the_checks_and_its_own_tests(clone: Path) -> None:
    done = generate(clone, "generate", "feature", *PROJECTS)
    assert done.returncode == 0, done.stderr

    checked(clone, *CHECKS)
    passes(clone, "tests/projects", "tests/db/test_migrations.py::test_migrations_make_what_the_models_declare")
    routes = generate(clone, "routes").stdout
    assert next(line.split() for line in routes.splitlines() if "projects" in line)[1:] == ["/projects", "SignedIn"]
    assert "/admin/projects  " in routes


LONG = pytest.mark.skipif(
    "LONG" not in os.environ, reason="takes ten minutes: LONG=1 make unit T=tests/cli/test_generate.py"
)
NAMES = [arguments[0] for arguments in SHAPES.values()]


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with all shapes."""
    folder = copied(tmp_path_factory.mktemp("shaped"))
    for shape, arguments in SHAPES.items():
        done = generate(folder, "generate", "feature", *arguments)
        assert done.returncode == 0, f"{shape}: {done.stderr}"
    return folder


@LONG
def test_odd_shapes_pass_the_checks(shaped: Path) -> None:
    checked(shaped, *CHECKS, TYPES)


@LONG
@pytest.mark.parametrize("postgresql", [False, True], ids=["sqlite", "postgresql"])
@pytest.mark.parametrize("name", [*NAMES, "db/test_migrations.py"])
def test_feature_of_odd_shape_passes_its_tests(shaped: Path, name: str, postgresql: bool) -> None:
    passes(shaped, f"tests/{name}", postgresql=postgresql)


@LONG
@pytest.mark.parametrize("name", NAMES)
def test_feature_of_odd_shape_works_in_the_browser(shaped: Path, name: str) -> None:
    passes(shaped, f"e2e/test_{name}.py")


@LONG
@pytest.mark.parametrize("asking", ["copied_cookie", "held_back", "matrix", "notices"])
def test_what_asks_every_route_asks_those_of_odd_shapes(shaped: Path, asking: str) -> None:
    passes(shaped, f"tests/contract/test_{asking}.py", "-k", " or ".join(["says", "short", "notice", *NAMES]))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["class", "title:str"], "Python has this word"),
        (["selects", "select:str"], "SQL has this word"),
        (["users", "title:str"], "already"),
        (["home", "title:str", "--singular", "house"], "already"),
        (["sessions", "title:str"], "already"),
        (["login", "title:str", "--singular", "log"], "already"),
        (["Projects", "title:str"], "named with a-z"),
        (["../etc", "title:str"], "named with a-z"),
        (["a" * 25, "title:str"], "named with a-z"),
        (["projects2s", "title:str"], "no digits"),
        (["people", "title:str"], "the singular cannot be told"),
        (["news", "title:str"], "the singular cannot be told"),
        (["statuses", "title:str"], "the singular cannot be told"),
        (["sheep", "title:str", "--singular", "sheep"], "another word than the plural"),
        (["requests", "title:str"], "take a longer name"),
        (["forms", "title:str"], "take a longer name"),
        (["projects", "title"], "name:type"),
        (["projects", "title:string"], "there is no type string"),
        (["projects", "title:str:required"], "neither unique nor optional"),
        (["projects", "title:str(5)"], "write title:str"),
        (["projects", "status:choice"], "write status:choice(open,done)"),
        (["projects", "status:choice(open)"], "two or more"),
        (["projects", "status:choice(open,open)"], "two or more"),
        (["projects", "status:choice(a b,c)"], "two or more"),
        (["projects", "paid:bool:optional"], "a bool is yes or no"),
        (["projects", "due:date:unique"], "can be unique"),
        (["projects", "owner"], "at least one field"),
        (["projects", "owner_id:str"], "every row has it"),
        (["projects", "created_at:datetime"], "every row has it"),
        (["projects", "id:int"], "every row has it"),
        (["projects", "title:str", "title:text"], "twice"),
        (["projects", "model_dump:str"], "something else"),
        (["projects", "q:str"], "something else"),
        (["projects", "project:str"], "something else"),
        (["projects", "lambda:str"], "Python has this word"),
        (["projects", "order:int"], "SQL has this word"),
        (["projects", "person:reference(users)"], "people are no reference"),
        (["projects", "parent:reference(projects)"], "cannot refer to itself"),
        (["projects", "box:reference(boxes)"], "generate it first"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree()

    code = main(["generate", "feature", *arguments])

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert reason in said.err
    assert said.err.startswith("generate: ")
    assert said.err.count("\n") == 1
    assert tree() == before


@pytest.mark.parametrize(
    ("plural", "singular"),
    [("projects", "project"), ("categories", "category"), ("boxes", "box"), ("wishes", "wish"), ("days", "day")],
)
def test_singular_is_told_from_the_plural(plural: str, singular: str) -> None:
    assert spec.singular_of(plural) == singular


@pytest.mark.parametrize("plural", ["movies", "caches", "heroes", "wolves", "buses", "glasses", "data", "series"])
def test_singular_that_is_not_plain_has_to_be_said(plural: str) -> None:
    with pytest.raises(Refused, match="--singular"):
        spec.singular_of(plural)


def test_dry_run_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = tree()

    code = main(["generate", "feature", *PROJECTS, "--dry-run"])

    assert code == 0
    assert "app/projects/pages.py" in capsys.readouterr().out
    assert tree() == before


def test_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    folder = copied(tmp_path / "clone")
    mine = folder / "e2e" / "test_projects.py"
    mine.write_text("MINE = True\n")

    done = generate(folder, "generate", "feature", *PROJECTS)

    assert (done.returncode, done.stderr) == (
        2, "generate: e2e/test_projects.py is there already; nothing was written\n"
    )  # fmt: skip
    assert mine.read_text() == "MINE = True\n"
    assert not (folder / "app" / "projects").exists()


def test_reference_to_a_feature_that_comes_later_in_the_alphabet_can_be_migrated(tmp_path: Path) -> None:
    """`migrate` imports the models in the order of their names, and a reference needs its target."""
    folder = copied(tmp_path / "clone")
    for shape in ("as in the README", "a reference"):  # boxes refer to projects
        assert generate(folder, "generate", "feature", *SHAPES[shape]).returncode == 0

    done = generate(folder, "migrate")

    assert (done.returncode, done.stderr) == (0, "")
    passes(folder, "tests/boxes/test_pages.py", "-k", "copy_of_ones_data")


# Kind, name, other arguments, its tests.
SMALL = [
    ("page", "reports", [], "tests/reports"),
    ("page", "imprint", ["--public"], "tests/imprint"),
    ("mail", "reports/due_soon", [], "tests/reports/test_due_soon.py"),
    ("mail", "reports/much_later", [], "tests/reports/test_much_later.py"),
    ("mail", "mfa/reminder", [], "tests/mfa/test_reminder.py"),
    ("command", "close-month", [], "tests/cli/test_close_month.py"),
]


def test_pages_emails_and_commands_pass_the_checks_and_their_own_tests_and_can_be_taken_back(tmp_path: Path) -> None:
    folder = copied(tmp_path / "clone")
    for kind, name, more, _ in SMALL:
        done = generate(folder, "generate", kind, name, *more)
        assert (done.returncode, done.stderr) == (0, ""), name
        again = generate(folder, "generate", kind, name, *more)
        assert (again.returncode, again.stdout) == (2, "")
        assert again.stderr.startswith("generate: ")
        assert again.stderr.count("\n") == 1

    checked(folder, *CHECKS)
    passes(folder, *(tests for *_, tests in SMALL), "tests/web/test_routes.py", "tests/dev/test_email_samples.py")

    page = folder / "app" / "imprint" / "pages.py"
    before = page.read_text()
    page.write_text(f"{before}\n# mine\n")
    assert generate(folder, "destroy", "page", "imprint").returncode == 2
    page.write_text(before)
    for kind, name, *_ in reversed(SMALL):
        gone = generate(folder, "destroy", kind, name)
        assert (gone.returncode, gone.stderr) == (0, ""), name
    status = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    assert status.stdout == ""
    assert not (folder / "app" / "reports").exists()


def test_generating_needs_no_setting_of_production(tmp_path: Path) -> None:
    """As in a clone: a secret of its own in `.env`, and nothing else."""
    folder = copied(tmp_path / "clone")
    (folder / ".env").write_text("APP_SECRET_KEY=k3J9x!aB7qLmZ2wR8tYvE4uI6oP0sDfGh1jKcNbV5\n")
    command = [sys.executable, "-m", "app", "generate", "feature", *PROJECTS, "--dry-run"]

    done = subprocess.run(
        command, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["page", "account"], "already"),
        (["page", "class"], "Python has this word"),
        (["page", "../x"], "named with a-z"),
        (["mail", "reminder"], "say the feature"),
        (["mail", "nowhere/reminder"], "say the feature"),
        (["mail", "../../x/reminder"], "say the feature"),
        (["mail", "mfa/new_device"], "already"),
        (["mail", "mfa/Reminder"], "named with a-z"),
        (["command", "serve"], "already"),
        (["command", "users"], "already"),
        (["command", "generate"], "already"),
        (["command", "rotate-keys"], "already"),
        (["command", "main"], "already"),
        (["command", "a b"], "named with a-z"),
    ],
    ids=str,
)
def test_small_thing_that_cannot_be_is_refused_in_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree()

    code = main(["generate", *arguments])

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert reason in said.err
    assert said.err.startswith("generate: ")
    assert said.err.count("\n") == 1
    assert tree() == before


@pytest.mark.parametrize("code", [0, 1])
def test_linter_that_make_run_did_not_install_is_installed(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(writing, "find_spec", lambda _: None)

    def run(command: list[str]) -> SimpleNamespace:
        ran.append(command)
        return SimpleNamespace(returncode=code)

    monkeypatch.setattr(writing.subprocess, "run", run)

    with pytest.raises(Refused, match="run `make check` first") if code else nullcontext():
        writing.install_linter()

    assert ran == [[sys.executable, str(ROOT / "bootstrap.py"), "install", "dev"]]


@pytest.mark.parametrize(("kind", "name"), [("page", "reports"), ("mail", "mfa/reminder"), ("command", "close-month")])
def test_dry_run_of_a_small_thing_writes_nothing(kind: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree()

    code = main(["generate", kind, name, "--dry-run"])

    assert code == 0
    assert "would write   tests/" in capsys.readouterr().out
    assert tree() == before


def test_what_is_destroyed_leaves_nothing_and_what_was_changed_stays(tmp_path: Path) -> None:
    folder = copied(tmp_path / "clone")
    assert generate(folder, "generate", "feature", *SHAPES["unique"]).returncode == 0
    page = folder / "app" / "people" / "pages.py"
    before = page.read_text()
    page.write_text(f"{before}\n# mine\n")

    changed = generate(folder, "destroy", "feature", "people")
    assert (changed.returncode, changed.stderr) == (
        2, "destroy: app/people/pages.py was changed since: delete it by hand\n"
    )  # fmt: skip
    page.write_text(before)
    assert generate(folder, "migrate").returncode == 0
    migrated = generate(folder, "destroy", "feature", "people")
    assert migrated.returncode == 2
    back = re.search(r"first `make migrate TO=(\d+)`", migrated.stderr)
    assert back
    assert generate(folder, "migrate", "--to", back[1]).returncode == 0
    gone = generate(folder, "destroy", "feature", "people")

    assert (gone.returncode, gone.stderr) == (0, "")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    assert status.stdout == ""
    assert not (folder / "app" / "people").exists()
    assert generate(folder, "destroy", "feature", "home").returncode == 2


def tree() -> list[str]:
    assert db.registry.models
    return sorted(str(path) for name in ("app", "templates", "tests", "e2e") for path in (ROOT / name).rglob("*.*"))
