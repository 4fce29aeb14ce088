"""Every error text in docs/problems.md is one that the source of the application has."""

import ast
import re
from collections.abc import Iterator

import pytest

from app.learn import chapters, sources
from app.settings import Settings

PROBLEMS = chapters.DOCS / "problems.md"
ROW = re.compile(r"^\| `(.+?)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
ROWS = ROW.findall(PROBLEMS.read_text())
VARIABLES = {str(field.validation_alias or f"APP_{name.upper()}") for name, field in Settings.model_fields.items()}


def texts() -> set[str]:
    """Every string in app/ but docstrings; `…` replaces what an f-string inserts."""
    found: set[str] = set()
    for name in sources.names():
        if name.startswith("app/") and name.endswith(".py") and not name.startswith("app/learn/"):
            found.update(_strings(ast.parse(sources.text(name))))
    return found


def _strings(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)  # type: ignore[misc]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
            yield from _strings(child)


TEXTS = texts()


def has(text: str) -> bool:
    """Whether the source has `text`: a code such as `invalid_grant` as it is, a sentence as a part of a string.

    `settings` puts the name of the variable before the text of an error.
    """
    variable, _, rest = text.partition(" ")
    if variable in VARIABLES and any(one.removeprefix("…").startswith(rest) for one in TEXTS):
        return True
    return text in TEXTS if re.fullmatch(r"\w+", text) else any(text in one for one in TEXTS)


@pytest.mark.parametrize("text", [row[0] for row in ROWS])
def test_error_text_is_in_the_source(text: str) -> None:
    assert has(text), f"docs/problems.md: no string in app/ contains {text!r}"


def test_each_text_stands_once_and_every_row_is_read() -> None:
    lines = [line for line in PROBLEMS.read_text().splitlines() if line.startswith("| ")]

    assert len({row[0] for row in ROWS}) == len(ROWS) == len([line for line in lines if not line.startswith("| text ")])
    assert len(ROWS) > 35


@pytest.mark.parametrize(
    "text", ["APP_SECRET_KEY is too weak", "invalid_gran", "the published password of joan works here", "Not an error."]
)
def test_text_that_the_application_does_not_have_is_found(text: str) -> None:
    assert not has(text)
