"""`python -m app upgrade-notes` in a clone: what is newer, security first, and nothing of what was ejected."""

import re
import subprocess
from pathlib import Path

import pytest

from app.cli import upgrade_notes
from tests.support.copies import WHO, copied, run

ADDED = """
### Added

- Cookies have a colour of their own, and the page of the account shows it to everybody who
  looks. (NAMED)<!-- notes -->
- Notes have a colour.<!-- /notes -->

### Security

- A forged colour is refused.
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *WHO, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, subject: str, files: dict[str, str]) -> str:
    for path, more in files.items():
        (folder / path).write_text((folder / path).read_text() + more if (folder / path).exists() else more)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-gpg-sign", "--message", subject)
    return git(folder, "rev-parse", "--short=7", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """At its first commit; the branch `newer` has the starter's next two."""
    folder = copied(tmp_path / "clone")
    first = git(folder, "branch", "--show-current")
    git(folder, "switch", "--quiet", "--create", "newer")
    named = commit(folder, "Colour the cookies", {"app/auth/cookies.py": "\n", "app/notes/store.py": "\n"})
    changelog = (folder / "CHANGELOG.md").read_text()
    entries = ADDED.replace("NAMED", named)
    (folder / "CHANGELOG.md").write_text(changelog.replace("## [Unreleased]\n", f"## [Unreleased]\n{entries}", 1))
    commit(folder, "Refuse a forged colour", {"app/auth/colours.py": '"""Colours."""\n'})
    git(folder, "switch", "--quiet", first)
    return folder


def test_what_is_newer_is_listed_with_commit_and_files_security_first(clone: Path) -> None:
    done = run(clone, "-m", "app", "upgrade-notes", "newer")

    assert done.returncode == 0, done.stderr
    named, wrote = (git(clone, "rev-parse", "--short=7", name) for name in ("newer~1", "newer"))
    assert done.stdout.splitlines() == [
        f"Since {upgrade_notes.started_from()['version']}: 3 changes, security first.",
        "",
        "Security",
        f"- A forged colour is refused. ({wrote})",
        "    app/auth/colours.py",
        "",
        "Added",
        f"- Cookies have a colour of their own, and the page of the account shows it to everybody who looks. ({named})",
        "    app/auth/cookies.py",
        "    app/notes/store.py",
        f"- Notes have a colour. ({wrote})",
        "    app/auth/colours.py",
    ]


@pytest.mark.part("eject")
def test_clone_that_ejected_is_not_asked_about_what_is_gone(clone: Path) -> None:
    done = run(clone, "-m", "app", "eject", "--notes")
    assert done.returncode == 0, done.stderr
    commit(clone, "Take the notes out", {})

    done = run(clone, "-m", "app", "upgrade-notes", "newer")

    assert done.stdout.startswith("Since ")
    assert "    app/auth/cookies.py" in done.stdout
    assert not re.search("notes", done.stdout, re.IGNORECASE)


def test_project_with_a_history_of_its_own_goes_by_its_version(clone: Path, tmp_path: Path) -> None:
    """As GitHub's "Use this template" makes it. The newer code lies in a folder beside it."""
    newer = tmp_path / "newer"
    git(tmp_path, "clone", "--quiet", "--branch", "newer", str(clone), str(newer))
    project = clone / "pyproject.toml"
    text = project.read_text()
    subprocess.run(["rm", "-rf", str(clone / ".git")], check=True)

    since_now = run(clone, "-m", "app", "upgrade-notes", str(newer)).stdout
    start = f'[tool.starter]\nversion = "{upgrade_notes.started_from()["version"]}"'
    project.write_text(text.replace(start, '[tool.starter]\nversion = "0.1.0"'))
    since_the_first = run(clone, "-m", "app", "upgrade-notes", str(newer)).stdout

    assert "A forged colour is refused." in since_now
    assert "- The audit event `account_kept` is now `deletion_cancelled`." not in since_now
    assert "- The audit event `account_kept` is now `deletion_cancelled`." in since_the_first


@pytest.mark.parametrize(
    ("newer", "reason"),
    [
        ("upstream/main", "neither a folder nor a fetched branch or tag: upstream/main"),
        ("--output=x", "the following arguments are required"),
        ("docs", "no CHANGELOG.md of the starter there"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(clone: Path, newer: str, reason: str) -> None:
    done = run(clone, "-m", "app", "upgrade-notes", newer)

    assert done.returncode in (1, 2)
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
