"""The text of an e-mail: one text, the same in HTML, and nothing that was typed becomes a line, a header or a link."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import html5lib
import pytest
from jinja2 import UndefinedError

from app.email import messages
from app.web import templates
from tests.support.environment import ORIGIN

LINE_ENDS = ["\r\n", "\n", "\r", "\0", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]
NAMES = ["<a href=evil>Click</a>", "https://evil.example", "evil.example/login", "{{7*7}}", "{% raw %}", "\"'><script>"]


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`template(text)` is templates/email/test.txt, beside the real frame."""
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "frame.html").write_text((templates.TEMPLATES / "email" / "frame.html").read_text())
    monkeypatch.setattr(templates, "TEMPLATES", tmp_path)
    messages._texts.cache_clear()

    def write(text: str) -> None:
        (tmp_path / "email" / "test.txt").write_text(text)

    yield write
    messages._texts.cache_clear()


def made(**context: Any) -> messages.Message:
    return messages.from_template("test", "robin@example.com", **context)


def links(html: str) -> list[tuple[str, str]]:
    """The words and the address of each link that a browser sees."""
    document = html5lib.parse(html, namespaceHTMLElements=False)
    return [("".join(link.itertext()).strip(), link.get("href")) for link in document.iter("a")]


def words(html: str) -> str:
    body = html5lib.parse(html, namespaceHTMLElements=False).find("body")
    return " ".join("".join(body.itertext()).split())


def test_first_line_is_the_subject_and_the_rest_are_paragraphs(template: Callable[[str], None]) -> None:
    template(
        "Hello {{ name }}\n\nOne line.\n{% if more %}\n\nMore.\n{% endif %}\n\n\nWhen: {{ at|when }}\nWhere: here\n"
    )

    email_message = made(name="Robin", more=False, at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC))

    assert (email_message.recipient, email_message.subject) == ("robin@example.com", "Hello Robin")
    assert email_message.text == "One line.\n\nWhen: 4 March 2026, 05:06 UTC\nWhere: here\n\nLanyard · testserver\n"


def test_html_says_what_the_text_says(template: Callable[[str], None]) -> None:
    template("Hello\n\nDear {{ name }},\nread & <see>.\n\nGo there:\n{{ origin }}/there?token=abc\n")

    email_message = made(name="Robin <b>")

    assert words(email_message.html) == "Lanyard Dear Robin <b>, read & <see>. Go there Lanyard · testserver"
    assert links(email_message.html) == [("Go there", f"{ORIGIN}/there?token=abc")]


def test_address_of_ours_without_a_line_before_it_says_where_it_leads(template: Callable[[str], None]) -> None:
    template("Hello\n\nHere it is.\n\n{{ origin }}/there?token=abc\n")

    assert links(made().html) == [("testserver/there", f"{ORIGIN}/there?token=abc")]


@pytest.mark.parametrize(
    "line",
    [
        "https://evil.example/",
        f"{ORIGIN}.evil.example/",
        f"{ORIGIN}@evil.example/",
        f"{ORIGIN}",
        f"See {ORIGIN}/there",
        f"{ORIGIN}/there or not",
        "http://testserver/",
        "javascript:alert(1)",
    ],
)
def test_nothing_else_is_linked(template: Callable[[str], None], line: str) -> None:
    template("Hello\n\n{{ line }}\n")

    email_message = made(line=line)

    assert links(email_message.html) == []
    assert line in email_message.text


# v5.0.0-1.3.7
@pytest.mark.parametrize("name", NAMES)
def test_name_is_shown_as_typed_and_is_no_link(template: Callable[[str], None], name: str) -> None:
    template("Hello {{ name }}\n\n{{ name }}\n\nDear {{ name }},\n")

    email_message = made(name=name)

    assert email_message.subject == f"Hello {name}"
    assert words(email_message.html) == f"Lanyard {name} Dear {name}, Lanyard · testserver"
    assert links(email_message.html) == []
    assert "<script" not in email_message.html


# v5.0.0-1.3.11
@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
def test_name_cannot_start_a_line(template: Callable[[str], None], end: str) -> None:
    """v5.0.0-1.3.11"""
    template("Hello {{ name }}\n\nDear {{ name }},\n")

    email_message = made(name=f"Eve{end}Bcc: eve@evil.example{end}{end}{ORIGIN}/logout")

    assert email_message.subject == f"Hello Eve Bcc: eve@evil.example {ORIGIN}/logout"
    assert email_message.text.splitlines()[0] == f"Dear Eve Bcc: eve@evil.example {ORIGIN}/logout,"
    assert len(email_message.text.splitlines()) == 3
    assert links(email_message.html) == []


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\ud800"], ids=ascii)
def test_name_cannot_turn_the_line_around_or_break_it(template: Callable[[str], None], mark: str) -> None:
    template("Hello {{ name }}\n\nDear {{ name }},\n")

    assert made(name=f"Eve{mark}!").text.startswith("Dear Eve !,\n")


def test_origin_comes_from_the_settings_and_app_name_is_there(template: Callable[[str], None]) -> None:
    template("{{ app_name }}\n\n{{ origin }}/login\n")

    email_message = made(origin="https://evil.example", app_name="Lanyard")

    assert email_message.subject == "Lanyard"
    assert email_message.text.startswith(f"{ORIGIN}/login\n")


@pytest.mark.parametrize("text", ["Only a subject\n", "A subject\nand no empty line\n", "\n\n"])
def test_email_without_subject_or_text_is_a_mistake_of_ours(template: Callable[[str], None], text: str) -> None:
    template(text)

    with pytest.raises(ValueError, match=r"email/test\.txt"):
        made()


def test_missing_word_is_a_mistake_of_ours(template: Callable[[str], None]) -> None:
    template("Hello\n\nDear {{ nmae }},\n")

    with pytest.raises(UndefinedError):
        made(name="Robin")
