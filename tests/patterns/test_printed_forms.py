"""The documentation page's code with the unmodified packages: each form does what the pattern index says.

A failing test means that a release has changed the result of a form. If the page's code works now, correct the verdict
in `app/learn/pattern_index.py`, the chapter, and the first line of the form.
"""

import json

import pytest

from app.learn import pattern_index
from app.learn.code_blocks import TRANSCRIPTS
from tests.patterns import printed

pytestmark = pytest.mark.upstream
FORMS = printed.forms()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_printed_form_does_what_its_first_line_says(form: printed.Form) -> None:
    said = printed.outputs()[form.name]

    missing = [piece for piece in form.says if piece not in said]

    verb = "holds" if form.holds else "fails"
    assert not missing, f"{form.name} no longer {verb} as the page says; does its code work now? It printed:\n{said}"


def test_transcripts_are_what_the_forms_print() -> None:
    """The chapters and the Token Lab show them."""
    assert json.loads(TRANSCRIPTS.read_text()) == printed.transcripts(), "make docs"


def test_no_form_that_fails_counts_as_printed() -> None:
    failing = {name for name, form in FORMS.items() if not form.holds}

    assert not failing & {name for name, row in pattern_index.PATTERNS.items() if row.as_printed}


def test_every_pattern_with_code_has_its_form() -> None:
    assert set(pattern_index.PATTERNS) - set(FORMS) == {"learn-more"}  # links to other pages
