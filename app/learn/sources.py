"""Source files for the tutorial: looked up by name in a fixed list, extracted by symbol, and highlighted.

A name from a request is only compared with that list and never used as a path, so `..`, symbolic links and `.env` give
404.
"""

import ast
from functools import cache, lru_cache

from markupsafe import Markup
from pygments import highlight as pygments_highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

from app.settings import ROOT

FOLDERS = ("app", "templates", "static", "tests", "e2e", "docs")
SUFFIXES = (".py", ".html", ".css", ".js", ".md")
SINGLE = ("README.md", "Makefile", "pyproject.toml", ".env.example")


@cache
def names() -> list[str]:
    """The files that are shown, relative to the project's root; without tests if they are not installed."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    kept = [path for path in found if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts]
    return sorted([path.relative_to(ROOT).as_posix() for path in kept] + [n for n in SINGLE if (ROOT / n).is_file()])


def text(name: str) -> str:
    """The text of the file. Errors: LookupError for a name that is not in the list."""
    if name not in names():
        raise LookupError(f"no file {name}")
    return (ROOT / name).read_text("utf-8")


def symbol(name: str, wanted: str) -> tuple[str, int]:
    """The code of a function, class, method (`Class.method`) or constant, and the number of its first line.

    Errors: LookupError that names the missing file or symbol.
    """
    whole = text(name)
    found = _symbols(whole).get(wanted)
    if found is None:
        raise LookupError(f"{name} has no {wanted}")
    first, last = found
    lines = whole.splitlines()[first - 1 : last]
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines) + "\n", first


def highlight(code: str, language: str = "", name: str = "") -> Markup:
    """HTML with the class names of Pygments, because the Content-Security-Policy forbids inline styles."""
    try:
        lexer = get_lexer_for_filename(name) if name else get_lexer_by_name(language or "text")
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    return Markup(pygments_highlight(code, lexer, HtmlFormatter(nowrap=True)))  # noqa: S704 - Pygments escapes it


@lru_cache(maxsize=512)
def _symbols(whole: str) -> dict[str, tuple[int, int]]:
    return dict(_inside(ast.parse(whole).body, ""))


def _inside(body: list[ast.stmt], prefix: str) -> list[tuple[str, tuple[int, int]]]:
    found = []
    for node in body:
        last = node.end_lineno or node.lineno
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found.append((prefix + node.name, (first, last)))
            if isinstance(node, ast.ClassDef):
                found += _inside(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            found += [(prefix + name, (node.lineno, last)) for name in names]
    return found
