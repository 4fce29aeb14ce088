"""How what is generated gets into files: rendered, tidied by the linter, and never over a file that is there."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.cli.generate.spec import Refused
from app.settings import ROOT

TEMPLATES = Path(__file__).parent / "templates"


def install_linter() -> None:
    """`make run` installs what the site needs, and no linter. Errors: Refused."""
    if find_spec("ruff") is None:
        command = [sys.executable, str(ROOT / "bootstrap.py"), "install", "dev"]
        if subprocess.run(command).returncode:  # noqa: S603
            raise Refused("the linter could not be installed; run `make check` first")


def rendered(files: dict[str, str], context: dict[str, Any]) -> dict[Path, str]:
    """Path -> text, formatted. `files`: path -> template; "" is an empty file."""
    return {ROOT / path: tidied(_rendered(name, context), path) if name else "" for path, name in files.items()}


def write(made: dict[Path, str], dry_run: bool) -> None:
    """Errors: Refused if one of them is there."""
    if there := [path for path in made if path.exists()]:
        raise Refused(f"{there[0].relative_to(ROOT)} is there already; nothing was written")
    for path, text in made.items():
        print(f"{'would write ' if dry_run else 'write'}  {path.relative_to(ROOT)}")
        if not dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


def tidied(text: str, path: str) -> str:
    """Formatted, without imports that nothing uses. Errors: Refused without the linter."""
    if not path.endswith(".py"):
        return text
    ours = 'lint.isort.known-first-party = ["app", "e2e", "tests"]'  # the new folder is not there yet
    check = ["check", "--fix", "--quiet", "--select", "I,F401", "--config", ours]
    for command in (check, ["format", "--quiet"]):
        call = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(ROOT / path), "-"]
        done = subprocess.run(call, input=text, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise Refused(f"ruff could not format {path}; run `make check` first: {done.stderr.strip()[:200]}")
        text = done.stdout
    return text


def _rendered(name: str, context: dict[str, Any]) -> str:
    environment = Environment(  # noqa: S701 - code, no page
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, variable_start_string="[[", variable_end_string="]]",
        block_start_string="[%", block_end_string="%]", comment_start_string="[#", comment_end_string="#]",
    )  # fmt: skip
    return environment.get_template(f"{name}.jinja").render(context)
