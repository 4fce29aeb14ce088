"""The command `destroy`: delete what `generate` wrote, as long as nobody has changed it."""

import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app import db
from app.cli.generate import files, small, spec
from app.cli.generate.small import MAIN
from app.cli.generate.spec import Refused, Spec
from app.cli.generate.writing import rendered
from app.db import schema
from app.settings import ROOT


def destroy(options: Any) -> int:
    """Returns the exit code: 2, and nothing is deleted, for what cannot be taken back."""
    return _feature(options) if options.kind == "feature" else _small(options)


def _small(options: Any) -> int:
    try:
        plan = small.PLANS[options.kind](options, new=False)
        made = rendered(plan.files, plan.context)
        _unchanged(made)
        contents = plan.changed(small.Line.removed)
    except (Refused, OSError) as refused:
        print(f"destroy: {refused}", file=sys.stderr)
        return 2
    _delete(made, options.dry_run)
    for path, content in contents.items():
        print(f"{'would change' if options.dry_run else 'change'}  {path.relative_to(ROOT)}")
        if not options.dry_run:
            path.write_text(content, "utf-8")
    if options.kind == "page" and not options.dry_run:
        for folder in {path.parent for path in made}:
            _empty(folder)
    return 0


def _feature(options: Any) -> int:
    try:
        spec.read_models()
        wanted = written(options.name)
        made, migration = files(wanted), migration_of(wanted)
        _unchanged(made)
    except (Refused, db.Unavailable, OSError) as refused:
        print(f"destroy: {refused}", file=sys.stderr)
        return 2
    _delete((*made, migration), options.dry_run)
    if not options.dry_run:
        line = f'    "app.{wanted.plural}",\n'
        MAIN.write_text(MAIN.read_text("utf-8").replace(line, ""), "utf-8")
        for folder in {path.parent for path in made if path.parent.name == wanted.plural}:
            _empty(folder)
    return 0


def written(plural: str) -> Spec:
    """What the feature was generated from, as its package says. Errors: Refused."""
    package = ROOT / "app" / plural / "__init__.py"
    text = package.read_text("utf-8") if re.fullmatch(r"[a-z_]+", plural) and package.exists() else ""
    said = re.search(r"Written by `python -m app generate feature ([^`]+)`", text)
    if not said:
        raise Refused(f"{plural}: no generated feature has this name")
    words = shlex.split(said[1])
    singular = words[words.index("--singular") + 1] if "--singular" in words else ""
    fields = [word for word in words[1:] if ":" in word or word == "owner"]
    return spec.feature(plural, fields, singular, new=False)


def migration_of(wanted: Spec) -> Path:
    """Errors: Refused if it has run on this database, or another one follows it."""
    found = list((schema.FOLDER / "versions").glob(f"*_add_{wanted.plural}.py"))
    if len(found) != 1:
        raise Refused(f"{wanted.plural}: its migration is not there")
    revision = found[0].name.partition("_")[0]
    if db.known()[0] != revision:
        raise Refused(f"migration {revision} has others after it: write one that drops the table, and delete by hand")
    if revision not in db.pending():
        raise Refused(f"the table is there: first `make migrate TO={db.known()[1]}`, which deletes its rows")
    return found[0]


def _unchanged(made: dict[Path, str]) -> None:
    """Errors: Refused for the first file that is not as it was written."""
    if changed := [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]:
        raise Refused(f"{changed[0].relative_to(ROOT)} was changed since: delete it by hand")


def _delete(paths: Iterable[Path], dry_run: bool) -> None:
    for path in paths:
        print(f"{'would delete' if dry_run else 'delete'}  {path.relative_to(ROOT)}")
        if not dry_run:
            path.unlink()


def _empty(folder: Path) -> None:
    for cache in folder.glob("__pycache__/*"):
        cache.unlink()
    for left in (folder / "__pycache__", folder):
        if left.exists() and not any(left.iterdir()):
            left.rmdir()
