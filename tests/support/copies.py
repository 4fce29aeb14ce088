"""This tree once more, as somebody has it who cloned it: for tests that change it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.environment import ROOT

NEVER = {".git", ".venv", ".env", "var", "__pycache__"}
WHO = ["-c", "user.name=Robin Example", "-c", "user.email=robin@example.com"]


def copied(to: Path) -> Path:
    """As a repository of its own, all of it committed."""
    for path in files():
        target = to / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    commit = ["commit", "--quiet", "--no-gpg-sign", "--message", "A clone"]
    for command in (["init", "--quiet"], ["add", "--all"], commit):
        subprocess.run(["git", *WHO, *command], cwd=to, check=True)
    return to


def copied_with_streams(to: Path) -> Path:
    """As `copied`, and the example of the chapter was added to it, as that says: /clock/events and /clock/echo."""
    copied(to)
    example, main = to / "app/clock/__init__.py", to / "app/main.py"
    example.parent.mkdir()
    example.write_bytes((ROOT / "tests/auth/streams/example.py").read_bytes())
    main.write_text(main.read_text().replace('    "app.admin",\n', '    "app.admin",\n    "app.clock",\n'))
    return to


def files() -> list[Path]:
    """What is in the repository or would be; where the tree is none, whatever lies here."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        found = [path for path in ROOT.rglob("*") if not NEVER & set(path.relative_to(ROOT).parts)]
    else:
        found = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in found if path.is_file() and not path.is_symlink()]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, in the copy and on a database of its own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TEST_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=ours | {"PYTHONDONTWRITEBYTECODE": "1", "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/var/x.db"},
    )
