"""The three steps of a change of secret, wherever it is kept, and that none can be taken out of turn."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.auth import key_rotation
from tests.support.environment import ROOT

OLD, NEW = "old-k3J9xaB7qLmZ2wR8tYvE4uI6oP0sDfGh1jKcNbV5", "new-Xw7RtQ2pLs9VbN4mKd8HgJ1zYc6FuE3aTo5iWq0M"
BEGIN = f"# mine\nAPP_SECRET_KEY={OLD}\nPORT=8123\n"


def test_steps_in_turn_lead_to_the_new_secret_and_keep_every_other_line() -> None:
    added, _ = key_rotation.changed(BEGIN, "add", NEW)
    switched, _ = key_rotation.changed(added, "switch", "unused")
    dropped, _ = key_rotation.changed(switched, "drop", "unused")

    assert added == f"# mine\nPORT=8123\nAPP_SECRET_KEY={OLD}\nAPP_VERIFYING_SECRET_KEYS={NEW}\n"
    assert switched == f"# mine\nPORT=8123\nAPP_SECRET_KEY={NEW}\nAPP_VERIFYING_SECRET_KEYS={OLD}\n"
    assert dropped == f"# mine\nPORT=8123\nAPP_SECRET_KEY={NEW}\nAPP_VERIFYING_SECRET_KEYS=\n"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (BEGIN, "switch"),
        (BEGIN, "drop"),
        (f"{BEGIN}APP_VERIFYING_SECRET_KEYS={NEW}\n", "add"),
        ("PORT=8000\n", "add"),
        ("APP_SECRET_KEY=\n", "add"),
    ],
)
def test_step_out_of_turn_is_refused(text: str, step: str) -> None:
    with pytest.raises(ValueError, match="APP_"):
        key_rotation.changed(text, step, NEW)


# v5.0.0-13.3.2
def test_file_stays_readable_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(BEGIN)
    file.chmod(0o644)

    key_rotation.change(file, "add")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_failed_step_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(BEGIN)

    with pytest.raises(ValueError, match="add first"):
        key_rotation.change(file, "switch")

    assert file.read_text() == BEGIN


class Kept:
    """Where the secret stands, for a process of its own: as the unit, the compose file or a shell has it."""

    def __init__(self, where: str, folder: Path) -> None:
        self.where, self.folder = where, folder
        self.settings: dict[str, str] = {"APP_ENV_FILE": str(folder / ".env")}
        if where == ".env":
            (folder / ".env").write_text(f"PORT=8123\nexport APP_SECRET_KEY = '{OLD}'  # mine\n")
        elif where == "environment":
            self.settings |= {"APP_SECRET_KEY": OLD}
        else:
            self.settings |= {"APP_SECRETS_DIR": str(folder)}
            (folder / "APP_SECRET_KEY").write_text(f"{OLD}\n")
            (folder / "APP_SECRET_KEY").chmod(0o640)
            if where == "folder with an empty file":
                (folder / "APP_VERIFYING_SECRET_KEYS").touch(0o640)

    def rotate(self, step: str) -> "subprocess.CompletedProcess[str]":
        """And do what it says where somebody else has to."""
        done = self.run("-m", "app", "rotate-keys", step)
        if self.where == "environment":
            self.settings |= dict(re.findall(r"^(APP_\w+)=(.*)$", done.stdout, re.MULTILINE))
        return done

    def secrets(self) -> list[str]:
        """As a worker reads them."""
        script = "from app import settings; print(*settings.load_settings(env='development').secret_keys)"
        return self.run("-c", script).stdout.split()

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], **self.settings}
        return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("where", [".env", "folder", "folder with an empty file", "environment"])
def test_secret_is_changed_wherever_it_is_kept(where: str, tmp_path: Path) -> None:
    kept = Kept(where, tmp_path)
    seen = [kept.secrets()]

    for step in key_rotation.STEPS:
        done = kept.rotate(step)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Restart every worker" in done.stdout
        seen.append(kept.secrets())

    (new,) = seen[3]
    assert seen[:3] == [[OLD], [OLD, new], [new, OLD]]
    assert new != OLD
    out_of_turn = kept.rotate("switch")
    assert (out_of_turn.returncode, out_of_turn.stderr.count("\n")) == (1, 1), out_of_turn.stderr
    if where.startswith("folder"):
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o640}


@pytest.mark.parametrize("where", ["folder", "folder with an empty file"])
def test_switch_that_was_cut_off_is_finished(where: str, tmp_path: Path) -> None:
    """Two files cannot be replaced at once; in between both secrets are known."""
    kept = Kept(where, tmp_path)
    (tmp_path / "APP_SECRET_KEY").write_text(NEW)
    (tmp_path / "APP_VERIFYING_SECRET_KEYS").write_text(f"{OLD},{NEW}")

    assert kept.rotate("switch").returncode == 0
    assert kept.secrets() == [NEW, OLD]


def test_secrets_in_two_places_are_refused(tmp_path: Path) -> None:
    """The change would not be seen: the environment wins over the file."""
    kept = Kept(".env", tmp_path)
    kept.settings["APP_VERIFYING_SECRET_KEYS"] = NEW

    done = kept.rotate("switch")

    assert done.returncode == 1
    assert "APP_VERIFYING_SECRET_KEYS stands in the environment" in done.stderr
    assert NEW not in done.stderr + done.stdout


def test_secret_that_stands_nowhere_is_refused(tmp_path: Path) -> None:
    kept = Kept("environment", tmp_path)
    del kept.settings["APP_SECRET_KEY"]

    done = kept.rotate("add")

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "APP_SECRET_KEY stands neither" in done.stderr
