"""The tutorial, served by the application that it explains. No other package needs it, so it can be deleted.

`chapters` renders docs/*.md as pages, `code_blocks` fills code blocks from the source, `sources` finds a function in a
file, and `pattern_index` lists the patterns of the framework's documentation page. `make docs` updates the files.
"""

from typing import Any

from app.learn import (
    chapters,  # eject
    pages,
)
from app.settings import get_settings
from app.web.features import Feature, Link


def _shown(user: Any) -> bool:
    return get_settings().shows_learn


FEATURE = Feature(
    name="learn",
    routes=pages.route_patterns,
    navigation=[Link("/learn", "Learn", _shown)],
    # eject:
    eject=(
        "app/learn", "docs/[0-9]*.md", *(f"docs/{name}.md" for name in chapters.REFERENCE),
        "docs/pictures/lab.png",  # template
        "docs/build",
        "templates/learn", "static/learn.*", "static/lab.*", "tests/learn", "tests/patterns", "e2e/test_learn.py",
        "e2e/test_lab.py",
    ),
    description="the tutorial and the Token Lab",
    # /eject
)  # fmt: skip
