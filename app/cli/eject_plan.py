"""What `eject` deletes, changes and renames: computed first, written by `eject` only as a whole.

A feature names its own paths (`Feature.eject`). What other files say about it stands between marks that name it: a
block from `# NAME:` to `# /NAME`, `{# NAME #}` to `{# /NAME #}`, `<!-- NAME -->` to `<!-- /NAME -->` or `/* NAME */` to
`/* /NAME */`, or one line that ends in `# NAME`. Imports need no mark: ruff removes those that nothing uses any more.
A test of such a part has `@pytest.mark.part("NAME")`; a file of them has it in its `pytestmark`.
"""

import ast
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from app.cli.eject_parts import FILES, PARTS, TEMPLATE
from app.settings import ROOT
from app.web.features import Feature, registered

NEVER = {".git", ".venv", ".env", "var", "__pycache__"}
LOCKS = {"requirements.lock", "requirements-dev.lock"}
KEPT = "LICENSE"  # its notice stays in every copy, under the old name too
# Where the code names a chapter: there are too many of them for marks.
REFERENCES: dict[str, tuple[tuple[re.Pattern[str], str], ...]] = {}
REFERENCES["eject"] = (
    (re.compile(r"^@pytest\.mark\.part\(.*\)\n", re.MULTILINE), ""),
    (re.compile(r", pytest\.mark\.part\([^)]*\)"), ""),
)
# learn:
NAMED = r"(?:Chapters?|Patterns?): (?:\"[^\"]*\"|[a-z-]+)(?:,\s+(?:\"[^\"]*\"|[a-z-]+))*\."
CHAPTER = f"{NAMED}(?:\\s{NAMED})*"
REFERENCES["learn"] = (
    (re.compile(rf"^[ \t]*{CHAPTER}[ \t]*\n", re.MULTILINE), ""),
    (re.compile(rf"^([ \t]*){CHAPTER} +", re.MULTILINE), r"\1"),
    (re.compile(rf" {CHAPTER}"), ""),
    (re.compile(r"\n\n+\"\"\"\n"), '\n"""\n'),
    (re.compile(r"^(\"\"\"[^\"\n]+)\n\"\"\"$", re.MULTILINE), r'\1"""'),
    (re.compile(r"^@pytest\.mark\.pattern\(.*\)\n", re.MULTILINE), ""),
)
# /learn


def ejectable() -> dict[str, Feature]:
    """The features that can be taken out, by name. A clone that never ran has no settings yet, and needs none here."""
    os.environ["APP_ENV"] = "development"
    os.environ.setdefault("APP_SECRET_KEY", os.urandom(32).hex())  # not another one: sessions are signed with it
    import_module("app.main")
    return {feature.name: feature for feature in (*registered(), *PARTS) if _is_here(feature)}


def _is_here(feature: Feature) -> bool:
    return any(path for glob in feature.eject for path in ROOT.glob(glob))


@dataclass
class Plan:
    deleted: list[Path] = field(default_factory=list)  # files and folders
    changed: dict[Path, str] = field(default_factory=dict)  # -> the new text
    moved: dict[Path, Path] = field(default_factory=dict)


def plan(features: list[str], name: str = "") -> Plan:
    """What would be deleted and changed. Errors: ValueError over a mark that is not closed, or an impossible name."""
    known = ejectable()
    if not features and not name:
        raise ValueError(f"say what to remove: {', '.join(f'--{each}' for each in known)}; or --name")
    for each in features:
        for other, reason in known[each].eject_needs.items():
            if other in known and other not in features:
                raise ValueError(f"--{each} needs --{other}, too: {reason}")
    paths = [glob for each in features for glob in known[each].eject]
    gone = dict.fromkeys(path for glob in paths for path in sorted(ROOT.glob(glob)))
    made = Plan(deleted=[path for path in gone if not gone.keys() & set(path.parents)])
    files = [path for path in _files() if not gone.keys() & {path, *path.parents}]
    rename = _renaming(name) if name else {}
    folder = ROOT / FILES
    written = {path.relative_to(folder): path for path in folder.rglob("*") if TEMPLATE.name in features}
    for path in list(files):
        called = path.name
        for old, new in rename.items():
            called = called.replace(old, new)
        if called != path.name:
            made.moved[path] = path.with_name(called)
        try:
            before = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        source = written.get(path.relative_to(ROOT), path)
        text = source.read_text("utf-8")
        if path.suffix == ".py":
            kept = _without_tests(text, features)
            if kept is None:
                made.deleted.append(path)
                files.remove(path)
                continue
            text = kept
        text = without(text, features, path)
        if path == ROOT / "pyproject.toml":
            text = re.sub(r"^gone = (\[.*\])$", lambda found: _gone(found[1], features), text, flags=re.MULTILINE)
        for old, new in rename.items():
            text = text.replace(old, new)
        if text != before:
            made.changed[path] = text
    _rewrite_history(made, files)
    return made


def _gone(known: str, features: list[str]) -> str:
    """What `upgrade-notes` leaves out from now on."""
    return f"gone = {json.dumps(sorted({*json.loads(known), *features}))}"


def _without_tests(text: str, features: list[str]) -> str | None:
    """`text` without the tests that have `pytest.mark.part` with one of these names. None where no test is left."""
    if not (marked := [f'pytest.mark.part("{name}")' for name in features if f'.part("{name}")' in text]):
        return text
    lines = text.splitlines(keepends=True)
    tests = 0
    for node in reversed(ast.parse(text).body):
        if isinstance(node, ast.Assign) and any(mark in "".join(_of(node, lines)) for mark in marked):
            return None  # pytestmark: the whole file
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(ast.unparse(each).replace("'", '"') in marked for each in node.decorator_list):
                first = node.decorator_list[0].lineno - 1
                while first and re.match(r"\s*$|# (?!/|\w+:?$)", lines[first - 1]):  # what is said above it
                    first -= 1
                del lines[first : node.end_lineno]
            else:
                tests += node.name.startswith("test_")
    return "".join(lines) if tests else None


def _of(node: ast.stmt, lines: list[str]) -> list[str]:
    return lines[node.lineno - 1 : node.end_lineno]


def without(text: str, features: list[str], path: Path) -> str:
    """`text` without what stands between their marks. Errors: ValueError over a mark that is not closed."""
    hash_marks = path.suffix not in (".md", ".html", ".css", ".js", ".svg")
    before = text
    for name in features:
        if hash_marks:
            text = re.sub(rf"^[ \t]*# {name}:?\n.*?^[ \t]*# /{name}\n", "", text, flags=re.MULTILINE | re.DOTALL)
            text = re.sub(rf"^.*\S.*# {name}\n", "", text, flags=re.MULTILINE)
        for opens, closes in ((r"\{#-? ", r" -?#\}"), ("<!-- ", " -->"), (r"/\* ", r" \*/")):
            span = f"{opens}{name}{closes}.*?{opens}/{name}{closes}"
            text = re.sub(rf"^[ \t]*{span}[ \t]*\n", "", text, flags=re.MULTILINE | re.DOTALL)
            text = re.sub(span, "", text, flags=re.DOTALL)
        if left := re.search(rf"^.*(?:\{{#-? |<!-- |/\* |# )/?{name}:?(?: -?#}}| -->| \*/|$)", text, re.MULTILINE):
            raise ValueError(f"{path.relative_to(ROOT)}: a mark without its other half: {left[0].strip()}")
        if path.suffix == ".py":
            for pattern, new in REFERENCES.get(name, ()):
                text = pattern.sub(new, text)
    if text != before and path.suffix != ".py":
        text = re.sub(r"\n{3,}(?! {4})" if path.suffix == ".md" else r"\n{3,}", "\n\n", text)  # code stays as it is
    return _renumbered(text) if text != before and path.suffix == ".md" else text


def listed(made: Plan) -> list[str]:
    lines = []
    for path in made.deleted:
        count = sum(each.is_file() and "__pycache__" not in each.parts for each in path.rglob("*"))
        lines.append(f"delete  {path.relative_to(ROOT)}" + (f"/ ({count} files)" if path.is_dir() else ""))
    for path, text in made.changed.items():
        fewer = path.read_text("utf-8").count("\n") - text.count("\n")
        lines.append(f"change  {path.relative_to(ROOT)}" + (f" ({fewer} lines fewer)" if fewer else ""))
    lines += [f"rename  {path.relative_to(ROOT)} to {to.name}" for path, to in made.moved.items()]
    return lines


def _files() -> list[Path]:
    """What is in the repository or would be; without one, whatever lies here."""
    found = git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if found is not None:
        names = [ROOT / name for name in found.split("\0") if name]
    else:
        names = [path for path in ROOT.rglob("*") if not NEVER & set(path.relative_to(ROOT).parts)]
    return sorted(
        path for path in names if path.is_file() and not path.is_symlink() and path.name not in {*LOCKS, KEPT}
    )


def _rewrite_history(made: Plan, files: list[Path]) -> None:
    """Whatever came after a deleted migration now comes after the one before it."""
    gone = {}
    for path in made.deleted:
        if path.parent.name == "versions":
            written = dict(re.findall(r'^(revision|down_revision) = "(\w+)"$', path.read_text("utf-8"), re.MULTILINE))
            gone[written["revision"]] = written["down_revision"]
    for path in files if gone else []:
        if path.parent.name != "versions":
            continue
        before = text = made.changed.get(path, path.read_text("utf-8"))
        for revision, earlier in gone.items():
            text = re.sub(rf'^(down_revision = )"{revision}"$', rf'\1"{earlier}"', text, flags=re.MULTILINE)
            text = re.sub(rf"^(Revision: \w+, after ){revision}\b", rf"\g<1>{earlier}", text, flags=re.MULTILINE)
        if text != before:
            made.changed[path] = text


def _renaming(name: str) -> dict[str, str]:
    """`Acme Desk` where people read it, `acmedesk` where programs do: files, loggers, roles of the database, keys."""
    now = re.search(r'^APP_NAME = "(.+)"$', (ROOT / "app" / "web" / "templates.py").read_text("utf-8"), re.MULTILINE)
    assert now
    slug = _slug(name)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9 .-]{1,38}[A-Za-z0-9]", name) or not 3 <= len(slug) <= 24:
        raise ValueError("--name must be 3 to 24 letters, digits, spaces, points and hyphens, a letter first")
    return {now[1]: name, _slug(now[1]): slug}


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _renumbered(text: str) -> str:
    """The items of each section's list counted anew."""
    count, lines = 0, []
    for line in text.splitlines(keepends=True):
        count = 0 if line.startswith("#") else count
        if re.match(r"\d+\. ", line):
            count += 1
            line = re.sub(r"^\d+", str(count), line)
        lines.append(line)
    return "".join(lines)


def git(*arguments: str) -> str | None:
    """What git prints; None without git or a repository, and if it fails."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return None
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)  # noqa: S603, S607
    return done.stdout if done.returncode == 0 else None
