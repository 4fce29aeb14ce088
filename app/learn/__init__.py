"""The tutorial that is served by the application it explains. Nothing else needs it: it can be deleted.

`chapters` turns docs/*.md into pages, `code_blocks` fills their code from the live source, `sources` finds a function
in a file, `pattern_index` says how each pattern of the framework's documentation page fares here. `make docs` writes it
all anew.
"""

from typing import Any

from app.learn import pages
from app.settings import get_settings
from app.web.features import Feature, Link


def _shown(user: Any) -> bool:
    return get_settings().shows_learn


FEATURE = Feature(
    name="learn",
    routes=pages.route_patterns,
    navigation=[Link("/learn", "Learn", _shown)],
    eject=(
        "app/learn", "docs/[0-9]*.md", "docs/patterns.md", "templates/learn", "static/learn.*", "static/lab.*",
        "docs/pictures/lab.png", "tests/learn", "tests/patterns", "e2e/test_learn.py", "e2e/test_lab.py",
    ),
    description="the tutorial and the Token Lab",
)  # fmt: skip
