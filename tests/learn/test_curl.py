"""docs/curl.md: what its commands print now is what the page says."""

from tests.learn import curl


def test_page_says_what_its_commands_print() -> None:
    text = curl.PAGE.read_text()

    assert curl.recorded() == text, "make docs"
    assert "$ curl" in text
