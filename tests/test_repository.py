"""The files that a repository is expected to have: licence, changelog, security policy, editors."""

import json
import re
import tomllib
from typing import Any

import pytest

from app.cli import upgrade_notes
from app.settings import Settings
from tests.support.copies import files
from tests.support.environment import ROOT

pytestmark = pytest.mark.template

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
RELEASES = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", CHANGELOG, re.MULTILINE)
STILL_READ = {"SMTP_URL"}
WRITTEN_ELSEWHERE = ("static/swagger/", "docs/pictures/", "requirements")


def from_json(path: str) -> Any:
    return json.loads((ROOT / path).read_text())


def test_licence_is_the_one_that_the_project_names() -> None:
    text = (ROOT / "LICENSE").read_text()

    assert PROJECT["project"]["license"] == "MIT"
    assert PROJECT["project"]["license-files"] == ["LICENSE"]
    assert text.startswith("MIT License\n\nCopyright (c) 20")
    assert "shall be included in all\ncopies" in text


def test_changelog_begins_with_what_is_unreleased_and_ends_at_the_projects_version() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)

    assert headings == ["[Unreleased]", *(f"[{version}] - {day}" for version, day in RELEASES)]
    assert RELEASES[0][0] == PROJECT["project"]["version"]
    numbers = [tuple(map(int, version.split("."))) for version, _ in RELEASES]
    assert numbers == sorted(numbers, reverse=True)
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= {
        "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"
    }  # fmt: skip


def test_every_entry_of_the_changelog_is_one_that_upgrade_notes_reads() -> None:
    entries = upgrade_notes.parsed(CHANGELOG, [])

    assert len(entries) == len(re.findall(r"^- ", CHANGELOG, re.MULTILINE))
    assert {entry.kind for entry in entries} <= set(upgrade_notes.KINDS)
    assert [entry.text for entry in entries if not re.search(r"[.)]$", entry.text)] == []
    for name in ("notes", "learn"):
        without = upgrade_notes.parsed(CHANGELOG, [name])
        assert len(without) < len(entries)
        assert {entry.text for entry in without} <= {entry.text for entry in entries}


def test_starter_is_of_the_projects_version_and_whole() -> None:
    assert upgrade_notes.started_from() == {"version": PROJECT["project"]["version"], "gone": []}


def test_what_the_changelog_calls_renamed_has_its_new_name_in_the_code() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "app").rglob("*.py") if "versions" not in path.parts)
    renamed = re.findall(r"`(\w+)` is now\s+`(\w+)`", CHANGELOG)
    settings = {str(field.validation_alias or f"APP_{name.upper()}") for name, field in Settings.model_fields.items()}

    assert len(renamed) > 5
    for old, new in renamed:
        new = dict(renamed).get(new, new)  # renamed once more
        assert new in settings or f'"{new}"' in code, new
        assert f'"{old}"' not in code or old in STILL_READ, old


def test_security_policy_says_where_to_report_and_names_no_person() -> None:
    text = (ROOT / "SECURITY.md").read_text()

    assert {"## Supported versions", "## Reporting a vulnerability"} <= set(text.splitlines())
    assert "Report a\nvulnerability" in text
    assert "@" not in text


def test_tasks_of_the_editor_are_targets_of_make() -> None:
    tasks = {task["label"]: task["command"].split() for task in from_json(".vscode/tasks.json")["tasks"]}
    targets = {re.sub(r"\$\(VENV\)", ".venv", name) for name in re.findall(r"^([\w.$()/-]+):(?!=)", MAKEFILE, re.M)}

    for command in tasks.values():
        assert command[0] == "make"
        assert set(command[1:]) <= targets
    assert {"run", "test", "check"} <= tasks.keys()


def test_debugger_starts_modules_that_there_are() -> None:
    for launched in from_json(".vscode/launch.json")["configurations"]:
        assert launched["module"] in ("app", "pytest")
        assert launched["preLaunchTask"] in {task["label"] for task in from_json(".vscode/tasks.json")["tasks"]}
    assert from_json(".vscode/settings.json")["python.testing.pytestArgs"] == ["tests"]


def test_development_container_has_a_python_that_fits_and_forwards_the_port() -> None:
    container = from_json(".devcontainer/devcontainer.json")

    image, version = container["image"].split(":")
    assert image.endswith("/python")
    least = tuple(map(int, PROJECT["project"]["requires-python"].removeprefix(">=").split(".")))
    assert tuple(map(int, version.partition("-")[0].split("."))) >= least
    assert container["forwardPorts"] == [Settings.model_fields["port"].default]
    extensions = set(container["customizations"]["vscode"]["extensions"])
    assert extensions <= set(from_json(".vscode/extensions.json")["recommendations"])


@pytest.mark.parametrize("folder", [".vscode", ".devcontainer"])
def test_files_of_editors_name_no_path_of_one_machine(folder: str) -> None:
    for path in (ROOT / folder).iterdir():
        assert not re.search(r"(?<![\w}/.])/\w+/|[A-Z]:\\", path.read_text()), path.name


def test_files_are_as_editorconfig_says() -> None:
    rules = (ROOT / ".editorconfig").read_text()
    assert f"max_line_length = {PROJECT['tool']['ruff']['line-length']}" in rules

    for path in [path for path in files() if not str(path.relative_to(ROOT)).startswith(WRITTEN_ELSEWHERE)]:
        content = path.read_bytes()
        if b"\0" in content or not content:
            continue
        assert content.endswith(b"\n"), path
        assert b"\r" not in content, path
        assert not re.search(rb"[ \t]\n", content), path
