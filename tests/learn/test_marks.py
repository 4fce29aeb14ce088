"""The tutorial can be removed: every mention of it elsewhere is between its marks.

A block: `# learn:` to `# /learn`, `{# learn #}` to `{# /learn #}`, `<!-- learn -->` to `<!-- /learn -->`, in a style
sheet `/* learn */` to `/* /learn */`. Each mark has its own line (in templates with `-` if needed). A single line of
Python, TOML or make ends in `# learn`.
"""

import re

from app.learn import sources
from app.settings import ROOT

OWN = ("app/learn/", "templates/learn/", "docs/", "tests/learn/", "tests/patterns/", "e2e/test_learn.py",
       "static/learn.css", "e2e/test_lab.py", "static/lab")  # fmt: skip
OPENS = re.compile(r"^\s*(?:# learn:?|\{#-? learn -?#\}|<!-- learn -->|/\* learn \*/)$")
CLOSES = re.compile(r"^\s*(?:# /learn|\{#-? /learn -?#\}|<!-- /learn -->|/\* /learn \*/)$")
MENTION = re.compile(
    r"app[./]learn|/learn\b|shows_learn|APP_LEARN|learn_pages|learn\.css|tests/patterns|make docs|docs/\d\d-"
)
OTHERS = [name for name in sources.names() if not name.startswith(OWN)]


def rest(text: str) -> list[str]:
    """The lines that remain without the tutorial. Errors: AssertionError for marks that do not match."""
    kept, inside = [], False
    for line in text.splitlines():
        if OPENS.match(line):
            assert not inside, f"a mark inside marks: {line}"
            inside = True
        elif CLOSES.match(line):
            assert inside, f"a mark that closes nothing: {line}"
            inside = False
        elif not inside and not line.endswith("# learn"):
            kept.append(line)
    assert not inside, "a mark is not closed"
    return kept


def test_every_mention_of_the_tutorial_stands_between_its_marks() -> None:
    left = {name: [line for line in rest((ROOT / name).read_text("utf-8")) if MENTION.search(line)] for name in OTHERS}

    assert not {name: lines for name, lines in left.items() if lines}
