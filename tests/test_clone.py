"""A clone that does what README says, or writes a README of its own, keeps a green suite."""

from pathlib import Path

import pytest

from tests.support.copies import copied, run
from tests.test_readme import write_what_readme_says

pytestmark = pytest.mark.template

EXPORTED = """

async def exported(user_id: UUID) -> AsyncIterator[dict[str, str]]:
    yield {"title": "Greet"}

"""
# What lists routes, tables, exports or features: the first to turn red over a new one.
LISTS = [
    "tests/test_readme.py::test_page_of_ones_own_is_what_readme_says_it_takes",
    "tests/test_repository.py", "tests/test_findability.py", "tests/account/test_data_export.py",
    "tests/web/test_routes.py", "tests/contract/test_matrix.py::test_public_routes_are_the_short_list",
    "tests/contract/test_copied_cookie.py::test_every_route_that_may_change_something_says_why", "tests/todos",
]  # fmt: skip


def test_following_readme_turns_no_test_red(tmp_path: Path) -> None:
    """The page, and what is stored about a person in the data export."""
    folder = copied(tmp_path / "clone")
    write_what_readme_says(folder)
    package = folder / "app/todos/__init__.py"
    text = package.read_text().replace("\n\nFEATURE", f"{EXPORTED}\nFEATURE")
    text = text.replace(
        "from app.todos", "from collections.abc import AsyncIterator\nfrom uuid import UUID\n\nfrom app.todos"
    )
    package.write_text(text.replace("    navigation", '    export={"todos": exported},\n    navigation'))
    tidy = [run(folder, "-m", "ruff", *each) for each in (["format", "-q"], ["check"])]
    assert [done.stdout for done in tidy if done.returncode] == []

    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *LISTS)

    assert done.returncode == 0, done.stdout[-3000:]


def test_rewriting_readme_turns_no_test_red_but_those_of_the_template(tmp_path: Path) -> None:
    folder = copied(tmp_path / "clone")
    (folder / "README.md").write_text("# Acme Desk\n\nOur own words.\n")

    others = [each for each in LISTS if each != "tests/todos"]
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not template", *others)

    assert done.returncode == 0, done.stdout[-3000:]
