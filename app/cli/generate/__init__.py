"""The commands `generate` and `destroy`: a feature, a page, an e-mail or a command, written as if by hand.

What is generated is the project's own from then on: nothing reads it back but `destroy`, which deletes what nobody has
changed since. Templates have [[ ]] and [% %], because many of them are templates of pages themselves.
"""

import sys
import textwrap
from pathlib import Path
from typing import Any

from app.cli import migration
from app.cli.generate import small, spec
from app.cli.generate.code import Written
from app.cli.generate.small import LAST, MAIN
from app.cli.generate.spec import Refused, Spec
from app.cli.generate.writing import install_linter, rendered, tidied, write
from app.settings import ROOT

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
        install_linter()
        return _feature(options) if options.kind == "feature" else _small(options)
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


def _small(options: Any) -> int:
    spec.read_models()
    plan = small.PLANS[options.kind](options, new=True)
    changed = plan.changed(small.Line.added)
    write(rendered(plan.files, plan.context), options.dry_run)
    for path, content in changed.items():
        print(f"{'would change' if options.dry_run else 'change'}  {path.relative_to(ROOT)}")
        if not options.dry_run:
            path.write_text(tidied(content, str(path.relative_to(ROOT))), "utf-8")
    if not options.dry_run:
        tests = next(path for path in plan.files if path.startswith("tests/") and "test_" in path)
        print(f"Now: {plan.then}. Its test: make test T={tests}")
    return 0


def files(wanted: Spec) -> dict[Path, str]:
    """Path -> text, formatted."""
    paths = {path.format(plural=wanted.plural): name for path, name in FEATURE.items()}
    return rendered(paths, context_of(wanted))


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
