"""The three steps of a change of secret, and that none can be taken out of turn."""

import stat
from pathlib import Path

import pytest

from app.auth import secret_file

OLD, NEW = "old-" + "o1" * 20, "new-" + "n2" * 20
BEGIN = f"# mine\nAPP_SECRET_KEY={OLD}\nPORT=8123\n"


def test_steps_in_turn_lead_to_the_new_secret_and_keep_every_other_line() -> None:
    added, _ = secret_file.changed(BEGIN, "add", NEW)
    switched, _ = secret_file.changed(added, "switch", "unused")
    dropped, _ = secret_file.changed(switched, "drop", "unused")

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
        secret_file.changed(text, step, NEW)


# v5.0.0-13.3.2
def test_file_stays_readable_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(BEGIN)
    file.chmod(0o644)

    secret_file.change(file, "add")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_failed_step_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(BEGIN)

    with pytest.raises(ValueError, match="add first"):
        secret_file.change(file, "switch")

    assert file.read_text() == BEGIN
