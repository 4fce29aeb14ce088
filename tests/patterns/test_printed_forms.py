"""The documentation page's forms on the packages as they come: what the ledger says of each is what happens.

A test that fails says that a release has changed one. If the page became true there: mend the verdict in
`app/learn/pattern_index.py`, the chapter, and the first line of the form.
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
    assert not missing, f"{form.name} no longer {verb} as told: has the page become true? It printed:\n{said}"


def test_transcripts_are_what_the_forms_print() -> None:
    """The chapters and the Token Lab show them."""
    assert json.loads(TRANSCRIPTS.read_text()) == printed.transcripts(), "make docs"


def test_no_form_that_fails_counts_as_printed() -> None:
    failing = {name for name, form in FORMS.items() if not form.holds}

    assert not failing & {name for name, row in pattern_index.PATTERNS.items() if row.as_printed}


def test_every_pattern_with_code_has_its_form() -> None:
    assert set(pattern_index.PATTERNS) - set(FORMS) == {"learn-more"}  # links to other pages
