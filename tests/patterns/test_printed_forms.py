"""The documentation page's code with the unmodified packages: each form does what the pattern index says.

A failing test means that a release has changed the result of a form. If the page's code works now, correct the verdict
in `app/learn/pattern_index.py`, the chapter, and the first line of the form.
"""

import json
from importlib.metadata import version

import pytest

from app.learn import pattern_index
from app.learn.code_blocks import TRANSCRIPTS, VERSIONS
from tests.patterns import printed

pytestmark = pytest.mark.upstream
FORMS = printed.forms()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_printed_form_does_what_its_first_line_says(form: printed.Form) -> None:
    said = printed.outputs()[form.name]

    missing = [piece for piece in form.says if piece not in said]

    verb = "holds" if form.holds else "fails"
    assert not missing, f"{form.name} no longer {verb} as the page says; does its code work now? It printed:\n{said}"


@pytest.mark.parametrize("form", printed.forms("right").values(), ids=printed.forms("right"))
def test_right_form_prints_what_its_first_line_says(form: printed.Form) -> None:
    said = printed.outputs("right")[form.name]

    assert not [piece for piece in form.says if piece not in said], said
    assert "Error" not in said.splitlines()[-1] or form.name == "decode-validation"


def test_every_form_of_a_pattern_that_fails_has_a_right_one_and_no_other() -> None:
    failing = {name for name, form in FORMS.items() if not form.holds} & set(pattern_index.PATTERNS)

    assert set(printed.forms("right")) == failing


def test_versions_have_every_form_and_the_installed_one_prints_it_still() -> None:
    recorded = json.loads(VERSIONS.read_text())

    assert recorded.pop(version("ravyn")) == printed.outputs(), "python -m tests.patterns.versions"
    assert recorded
    assert all(set(forms) == set(FORMS) for forms in recorded.values())


def test_transcripts_are_what_the_forms_print() -> None:
    """The chapters and the Token Lab show them."""
    assert json.loads(TRANSCRIPTS.read_text()) == printed.transcripts(), "make docs"


def test_no_form_that_fails_counts_as_printed() -> None:
    failing = {name for name, form in FORMS.items() if not form.holds}

    assert not failing & {name for name, row in pattern_index.PATTERNS.items() if row.as_printed}


def test_every_pattern_with_code_has_its_form() -> None:
    assert set(pattern_index.PATTERNS) - set(FORMS) == {"learn-more"}  # links to other pages
