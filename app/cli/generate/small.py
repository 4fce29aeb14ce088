"""What `generate page`, `generate mail` and `generate command` write: files, and lines in files that are there."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.generate import spec
from app.cli.generate.spec import Refused
from app.settings import ROOT
from app.web import features

MAIN = ROOT / "app" / "main.py"
START = ROOT / "app" / "__main__.py"
ARGUMENTS = ROOT / "app" / "cli" / "arguments.py"
LAST = '    "app.dev",\n'  # in the list of features; one's own comes before it
NO_FEATURE = "say the feature, too, as in projects/due_soon; it is a folder of app/ with a FEATURE"


@dataclass(frozen=True)
class Line:
    """`text` stands in the file right before the first place where `before`, a regular expression, fits."""

    path: Path
    before: str
    text: str

    def added(self, content: str) -> str:
        """Errors: Refused where the place is not found."""
        if found := re.search(self.before, content, re.MULTILINE):
            return content[: found.start()] + self.text + content[found.start() :]
        raise Refused(f"{self.path.relative_to(ROOT)} has no place for {self.text.strip().splitlines()[0]}")

    def removed(self, content: str) -> str:
        """Errors: Refused where it is not there as it was written."""
        if content.count(self.text) != 1:
            raise Refused(f"{self.path.relative_to(ROOT)} was changed since: delete it by hand")
        return content.replace(self.text, "")


@dataclass(frozen=True)
class Plan:
    """`files`: path -> template and context. `then`: what to do next."""

    files: dict[str, str]
    lines: tuple[Line, ...]
    context: dict[str, Any]
    then: str

    def changed(self, how: Callable[[Line, str], str]) -> dict[Path, str]:
        """The files of the lines as they are afterwards. Errors: Refused."""
        contents: dict[Path, str] = {}
        for line in self.lines:
            contents[line.path] = how(line, contents.get(line.path) or line.path.read_text("utf-8"))
        return contents


def page(options: Any, *, new: bool) -> Plan:
    """A feature of one page. Errors: Refused."""
    name = options.name
    if new:
        spec.new_name(name)
    files = {
        f"app/{name}/__init__.py": "page/package",
        f"app/{name}/pages.py": "page/pages",
        f"templates/{name}/index.html": "page/index.html",
        f"tests/{name}/__init__.py": "",
        f"tests/{name}/test_pages.py": "page/test_pages",
    }
    context = {"name": name, "title": _title(name), "public": _is_public(name, options, new=new)}
    return Plan(files, (Line(MAIN, re.escape(LAST), f'    "app.{name}",\n'),), context, f"make dev, and /{name}")


def mail(options: Any, *, new: bool) -> Plan:
    """An e-mail of a feature, to the person's own address. Errors: Refused."""
    feature, _, name = options.name.partition("/")
    package = ROOT / "app" / feature / "__init__.py"
    if not re.fullmatch(r"[a-z_]+", feature) or not name or not package.exists():
        raise Refused(f"{options.name}: {NO_FEATURE}")
    spec.plain_name(name, "an e-mail")
    if new and name in features.table("emails"):
        raise Refused(f"{name}: there is an e-mail with this name already")
    files = {f"templates/email/{name}.txt": "mail/text", f"tests/{feature}/test_{name}.py": "mail/test"}
    lines: tuple[Line, ...] = (Line(package.with_name("emails.py"), r"^\)", f'    "{name}",\n'),)
    if _is_first(package, name, new=new):
        files |= {f"app/{feature}/emails.py": "mail/emails"}
        importing = Line(package, r"^from app\.web\.features import", f"from app.{feature}.emails import COMPOSERS\n")
        lines = (importing, Line(package, r"^\).*\n?\Z", "    emails=COMPOSERS,\n"))
    context = {"name": name, "feature": feature, "title": _title(name)}
    return Plan(files, lines, context, f"templates/email/{name}.txt is its text; /dev/mailbox/samples shows it")


def command(options: Any, *, new: bool) -> Plan:
    """A command of `python -m app` that reads the database. Errors: Refused."""
    name, module = options.name, options.name.replace("-", "_")
    spec.plain_name(module, "a command")
    written = START.read_text("utf-8")
    if new and (
        f'    "{name}": ' in written or f"\ndef {module}(" in written or (ROOT / "app" / "cli" / module).exists()
    ):
        raise Refused(f"{name}: there is a command or a module of commands with this name already")
    call = f"""\
def {module}(_: argparse.Namespace) -> int:
    from app.cli import {module}

    return {module}.run()


"""
    says = 'help="say here what it does", description="Say here what it does."'
    described = f'    commands.add_parser("{name}", {says})\n'
    lines = (
        Line(START, r"^COMMANDS = ", call),
        Line(START, r'^    "serve": ', f'    "{name}": {module},\n'),
        Line(ARGUMENTS, r"^    return parser$", described),
    )
    files = {f"app/cli/{module}.py": "command/module", f"tests/cli/test_{module}.py": "command/test"}
    return Plan(files, lines, {"name": name, "module": module}, f"APP_ENV=development python -m app {name}")


def _is_first(package: Path, name: str, *, new: bool) -> bool:
    """Whether the feature has no other e-mail: its module of e-mails comes and goes with this one."""
    emails = package.with_name("emails.py")
    if new:
        return not emails.exists()
    return emails.exists() and f'KINDS = (\n    "{name}",\n)' in emails.read_text("utf-8")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _is_public(name: str, options: Any, *, new: bool) -> bool:
    """A page that is there says so itself."""
    pages = ROOT / "app" / name / "pages.py"
    if new:
        return bool(options.public)
    return pages.exists() and "permissions.public(" in pages.read_text("utf-8")


PLANS: dict[str, Callable[..., Plan]] = {"page": page, "mail": mail, "command": command}
