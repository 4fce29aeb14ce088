"""The commands `generate` and `destroy`: a feature, a page, an e-mail or a command, written as if by hand.

What is generated is the project's own from then on: nothing reads it back but `destroy`, which deletes what nobody has
changed since. Templates have [[ ]] and [% %], because many of them are templates of pages themselves.
"""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.cli import migration
from app.cli.generate import spec
from app.cli.generate.code import Written
from app.cli.generate.spec import Refused, Spec
from app.settings import ROOT

TEMPLATES = Path(__file__).parent / "templates"
MAIN = ROOT / "app" / "main.py"
LAST = '    "app.dev",\n'  # a feature of one's own comes before it
FEATURE = {
    "app/{plural}/__init__.py": "feature/package",
    "app/{plural}/models.py": "feature/models",
    "app/{plural}/fields.py": "feature/fields",
    "app/{plural}/pages.py": "feature/pages",
    "app/{plural}/api.py": "feature/api",
    "templates/{plural}/index.html": "feature/index.html",
    "templates/{plural}/show.html": "feature/show.html",
    "templates/{plural}/form.html": "feature/form.html",
    "templates/{plural}/delete.html": "feature/delete.html",
    "templates/{plural}/admin.html": "feature/admin.html",
    "tests/{plural}/__init__.py": "",
    "tests/{plural}/acts.py": "feature/acts",
    "tests/{plural}/test_pages.py": "feature/test_pages",
    "tests/{plural}/test_owners.py": "feature/test_owners",
    "tests/{plural}/test_api.py": "feature/test_api",
    "e2e/test_{plural}.py": "feature/test_browser",
}


def generate(options: Any) -> int:
    """Returns the exit code: 2, and nothing is written, for what cannot be."""
    try:
        return KINDS[options.kind](options)
    except Refused as refused:
        print(f"generate: {refused}", file=sys.stderr)
        return 2


def _feature(options: Any) -> int:
    spec.read_models()
    wanted = spec.feature(options.name, options.fields, options.singular)
    made = files(wanted)
    write(made, options.dry_run)
    line = f'    "app.{wanted.plural}",\n'
    print(f"{'would change' if options.dry_run else 'change'}  app/main.py")
    if options.dry_run:
        print(f"would write   app/migrations/versions/NNNN_add_{wanted.plural}.py")
        return 0
    MAIN.write_text(MAIN.read_text("utf-8").replace(LAST, line + LAST), "utf-8")
    code = migration.migration(f"add {wanted.plural.replace('_', ' ')}")
    print(f"Now: make migrate, make run, and /{wanted.plural}. Its tests: make test T=tests/{wanted.plural}")
    return code


def files(wanted: Spec) -> dict[Path, str]:
    """Path -> text, formatted."""
    context = context_of(wanted)
    return {
        ROOT / path.format(plural=wanted.plural): _tidy(_rendered(name, context), path) if name else ""
        for path, name in FEATURE.items()
    }


def context_of(wanted: Spec) -> dict[str, Any]:
    fields = [Written(field) for field in wanted.fields]
    searched = [field for field in fields if field.kind in ("str", "text")]
    references = [field for field in fields if field.kind == "reference"]
    label = searched[0] if searched else None
    return {
        "plural": wanted.plural,
        "singular": wanted.singular,
        "model": wanted.model,
        "command": textwrap.fill(
            f"Written by `{wanted.command}`.", 118, break_long_words=False, break_on_hyphens=False
        ),
        "many": wanted.plural.replace("_", " "),
        "words": wanted.singular.replace("_", " "),
        "title": wanted.plural.replace("_", " ").capitalize(),
        "fields": fields,
        "searched": searched,
        "label": label,
        "choices": [field for field in fields if field.kind == "choice"],
        "references": references,
        "uniques": [field for field in fields if field.unique],
        "refusable": bool(references or [field for field in fields if field.unique]),
        "required": [field for field in fields if not field.optional and field.kind not in ("bool", "choice")],
        "optional": [field for field in fields if field.optional],
        "plain": [field for field in fields if field.json != field.typed],
        "columns": [field for field in fields if field.kind != "text" and field is not label][:4],
        "optional_names": repr([field.name for field in fields if field.optional]),
        "related": "".join(f', "{field.name}"' for field in references),
    }


def write(made: dict[Path, str], dry_run: bool) -> None:
    """Errors: Refused if one of them is there."""
    if there := [path for path in made if path.exists()]:
        raise Refused(f"{there[0].relative_to(ROOT)} is there already; nothing was written")
    for path, text in made.items():
        print(f"{'would write ' if dry_run else 'write'}  {path.relative_to(ROOT)}")
        if not dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


def _rendered(name: str, context: dict[str, Any]) -> str:
    environment = Environment(  # noqa: S701 - code, no page
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, variable_start_string="[[", variable_end_string="]]",
        block_start_string="[%", block_end_string="%]", comment_start_string="[#", comment_end_string="#]",
    )  # fmt: skip
    return environment.get_template(f"{name}.jinja").render(context)


def _tidy(text: str, path: str) -> str:
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


KINDS: dict[str, Callable[[Any], int]] = {"feature": _feature}
