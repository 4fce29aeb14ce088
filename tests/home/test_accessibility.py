"""The accessibility statement: everything of docs/accessibility.md, for everybody."""

import re

import pytest

from app.home import accessibility
from app.settings import get_settings
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


async def test_statement_says_standard_limits_contact_and_date(client: Visitor) -> None:
    answer = await client.visit("/accessibility")

    assert answer.status_code == 200
    for text in ("WCAG 2.2 at level AA", "Swagger UI", get_settings().reported_to, "Last reviewed: "):
        assert text in answer.text, text


def test_statement_has_every_row_and_every_limit_of_the_file() -> None:
    text = accessibility.FILE.read_text()

    made = accessibility.statement()

    assert len(made.criteria) == len(re.findall(r"^\| \d", text, re.MULTILINE)) > 50
    assert len(made.limits) == len(re.findall(r"^- ", text, re.MULTILINE)) > 0


async def test_every_page_links_to_the_statement(client: Visitor) -> None:
    for path in ("/", "/login", "/nothing/here"):
        assert 'href="/accessibility"' in (await client.visit(path)).text, path
