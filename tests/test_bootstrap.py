"""`bootstrap.py` does what `make` does, where there is no `make`."""

import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import bootstrap
from tests.support.copies import copied
from tests.support.environment import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """With an environment of its own that has the packages of this one, and is as new as the locks."""
    folder = copied(tmp_path / "clone")
    programs = folder / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(Path(sys.executable).resolve())
    (folder / ".venv/pyvenv.cfg").write_text((Path(sys.prefix) / "pyvenv.cfg").read_text())
    (folder / ".venv/lib").symlink_to(Path(sys.prefix) / "lib")
    for name in ("made", "run", "dev"):
        (folder / f".venv/.{name}").touch()
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """By the interpreter of the machine, with no other program on the path."""
    command = [str(Path(sys.executable).resolve()), "bootstrap.py", *arguments]
    environment = {"PATH": str(folder / "nothing"), "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def recipe(target: str) -> list[str]:
    """What that target runs, as `bootstrap.COMMANDS` says it."""
    found = re.search(rf"^{target}: (.*)##.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found, target
    first = [line for each in found[1].split() if each in bootstrap.COMMANDS for line in recipe(each)]
    lines = [re.sub(r".*\$\(PY\) (?=-m)|.*\$\(VENV\)/bin/|\$\(T\)", "", line) for line in found[2].splitlines()]
    return [*first, *(line.strip() for line in lines)]


@pytest.mark.parametrize("name", bootstrap.COMMANDS)
def test_commands_are_those_of_make(name: str) -> None:
    needs, commands = bootstrap.COMMANDS[name]

    assert [" ".join(command) for command in commands] == recipe(name)
    assert re.search(rf"^{name}: \$\(VENV\)/\.{needs}\b", MAKEFILE, re.MULTILINE)
    if needs == "run":
        assert re.search(rf"^{name}: .* \.env\b", MAKEFILE, re.MULTILINE)


def test_site_and_tests_are_run_without_make(clone: Path) -> None:
    serving = run(clone, "run", "--help")
    testing = run(clone, "test", "tests/test_hosts.py", "-p", "no:cacheprovider")

    assert "usage: python -m app serve" in serving.stdout, serving.stderr
    assert re.search(r"\d+ passed", testing.stdout), testing.stdout + testing.stderr
    assert (serving.returncode, testing.returncode) == (0, 0)


def test_settings_are_written_once_for_their_owner_alone(clone: Path) -> None:
    said = run(clone, "env").stdout
    written = (clone / ".env").read_text()
    again = run(clone, "env").stdout

    assert said.startswith("Wrote .env")
    assert re.fullmatch(r"APP_SECRET_KEY=[\w-]{64}\n", written)
    assert stat.S_IMODE((clone / ".env").stat().st_mode) == 0o600
    assert (again, (clone / ".env").read_text()) == ("", written)


def test_failure_of_a_command_is_the_exit_code(clone: Path) -> None:
    (clone / "tests/test_hosts.py").write_text("def test_it():\n    assert False\n")

    assert run(clone, "test", "tests/test_hosts.py").returncode == 1
    assert run(clone, "tset").returncode == 2
    assert run(clone).returncode == 0


def test_every_python_that_the_project_takes_is_in_the_matrix_and_has_its_wheels_checked() -> None:
    workflow = yaml.safe_load((ROOT / "deploy/ci/github.yml").read_text())
    tried = workflow["jobs"]["check"]["strategy"]["matrix"]["python"]

    checked = re.search(r"^PYTHONS := (.*)$", MAKEFILE, re.MULTILINE)
    assert checked
    assert checked[1].split() == tried
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert least == f">={tried[0]}" == ">=" + ".".join(map(str, bootstrap.LEAST))
