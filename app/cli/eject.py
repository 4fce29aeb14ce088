"""The command `eject`: take parts of the starter out of a clone, and rename the project.

`eject_plan` says what is deleted and changed, `eject_parts` and each `FEATURE` what there is to take out.
"""

import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec

from app.cli.eject_plan import Plan, git, listed, plan
from app.settings import ROOT


def eject(features: list[str], name: str, dry_run: bool, yes: bool) -> int:
    """Returns the exit code. Nothing is touched unless all of it can be done."""
    try:
        made = plan(features, name)
    except ValueError as error:
        return _refuse(str(error))
    print("\n".join(listed(made)))
    advice = _next(made, name)
    if dry_run:
        return 0
    if not yes and (reason := _unsafe()):
        return _refuse(reason)
    if find_spec("ruff") is None:
        return _refuse("ruff, which tidies up, is not installed: run `make check` first")
    for path, text in made.changed.items():
        path.write_text(text, "utf-8")
    for path, to in made.moved.items():
        path.rename(to)
    for path in made.deleted:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for tidy in (["check", "--fix", "--quiet", "--select", "I,F401"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *tidy, "."], cwd=ROOT, check=True)  # noqa: S603
    generated = [
        "tests/learn/refresh.py",  # learn
        "tests/controls.py",
    ]
    for written in generated:
        module = written.removesuffix(".py").replace("/", ".")
        if (ROOT / written).exists() and (said := _run(module)):
            return _refuse(f"done, but `python -m {module}` failed and has to be run again:\n{said}")
    print(advice)
    return 0


def _unsafe() -> str:
    """Why git could not bring back what is deleted here; empty where it could."""
    changes = git("status", "--porcelain")
    if changes is None:
        return "this is not a git repository, so the changes could not be undone; use --yes to continue anyway"
    return "there are uncommitted changes; commit them first, or use --yes" if changes else ""


def _run(module: str) -> str:
    """What it said where it failed; empty where it did not."""
    done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True)  # noqa: S603
    return done.stderr[-2000:] if done.returncode else ""


def _refuse(reason: str) -> int:
    print(f"eject: {reason}", file=sys.stderr)
    return 1


def _next(made: Plan, name: str) -> str:
    lines = [
        "",
        "Done. Now:",
        "  git diff                  review the changes",
        "  make check && make test   all remaining tests pass",
    ]
    project = ROOT / "pyproject.toml"
    if project in made.changed and _dependencies(project.read_text("utf-8")) != _dependencies(made.changed[project]):
        lines.append("  make lock                 fewer dependencies")
    if any(path.parent.name == "versions" for path in made.deleted):
        lines.append(
            "  rm -r var                 delete the old database, which still has the table; or drop the table yourself"
        )
    if name:
        lines += [
            "The keys are derived with the name: all users have to sign in again.",
            "The SQLite file has a new name: move the old one if you want to keep your accounts.",
        ]
    return "\n".join(lines)


def _dependencies(project: str) -> list[str]:
    return list(tomllib.loads(project)["project"]["dependencies"])
