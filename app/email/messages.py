"""E-mail messages from a template: one text, and the HTML part made of that same text.

Whatever is filled in stays inside its line: a name cannot start a paragraph, a header or a link (v5.0.0-1.3.11). In the
HTML part everything is escaped and only a line that is nothing but an address of this site is a link: a person called
"evil.example" is not one. Addresses come from the settings, never from a request's Host.
Chapter: "Transactional e-mail". Source: RFC 2046 section 5.1.4; OWASP Forgot Password, "URL Tokens".
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.settings import get_settings
from app.web import templates

# Line ends of every kind, other controls, what turns the rest of the line around, and halves of characters.
NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Message:
    """A composed e-mail. `text` and `html` have the same content."""

    recipient: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an e-mail. `href`: "" or a URL of this site, for which `text` is the label."""

    text: str
    href: str = ""


# Composes the message of a queued e-mail (`id`, `kind`, `recipient`, `user_id`, `facts` as a dict, `created_at`).
# None: there is no recipient, nothing is sent. Called again for the same e-mail after a failed delivery.
Composer = Callable[[Any], Awaitable[Message | None]]


def from_template(template: str, recipient: str, **context: Any) -> Message:
    """The message that `templates/email/{template}.txt` makes of the context, `app_name` and `origin`.

    First line: the subject; then a blank line, then paragraphs with a blank line between, each as long as it likes (the
    reader's program wraps). An address of this site alone on a line is shown as a button; a line before it that ends
    with a colon is what the button says. Errors: jinja2.UndefinedError; ValueError without a subject.
    """
    origin = get_settings().origin
    rendered = _texts().get_template(f"email/{template}.txt").render(context | {"origin": origin})
    subject, _, rest = rendered.strip().partition("\n")
    paragraphs = [paragraph.strip() for paragraph in re.split(r"\n[ \t]*\n", rest) if paragraph.strip()]
    if not rest.startswith("\n") or not paragraphs:
        raise ValueError(f"templates/email/{template}.txt: a subject, an empty line and a text are needed")
    foot = f"{templates.APP_NAME} · {urlsplit(origin).netloc}"
    html = templates.environment(templates.TEMPLATES).get_template("email/frame.html")
    return Message(
        recipient=recipient,
        subject=subject,
        text="\n\n".join([*paragraphs, foot]) + "\n",
        html=html.render(subject=subject, paragraphs=[_buttons(each, origin) for each in paragraphs], foot=foot),
    )


def lines(text: str, origin: str) -> list[Line]:
    """The text, line by line; `href` is the path of one that is nothing but an address below the origin."""
    found = [line.strip() for line in text.strip().split("\n")]
    ours = re.compile(re.escape(origin) + r"(/[!-~]*)")
    return [Line(line, match[1] if (match := ours.fullmatch(line)) else "") for line in found]


@cache
def _texts() -> Environment:
    made = Environment(
        loader=FileSystemLoader(templates.TEMPLATES),
        autoescape=False,  # noqa: S701 - plain text; `frame.html` escapes each line of it
        undefined=StrictUndefined,
        finalize=_in_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=get_settings().is_development,
    )
    made.globals["app_name"] = templates.APP_NAME
    made.filters["when"] = _when
    return made


def _in_one_line(value: Any) -> Any:
    return NOT_IN_A_LINE.sub(" ", value) if isinstance(value, str) else value


def _when(timestamp: datetime) -> str:
    timestamp = timestamp.astimezone(UTC)
    return f"{timestamp.day} {timestamp:%B %Y, %H:%M} UTC"


def _buttons(paragraph: str, origin: str) -> list[Line]:
    shown: list[Line] = []
    for line in lines(paragraph, origin):
        if line.href and shown and not shown[-1].href and shown[-1].text.endswith(":"):
            shown[-1] = Line(shown[-1].text[:-1], line.text)
        elif line.href:
            shown.append(Line(re.split(r"[?#]", line.text)[0].partition("//")[2], line.text))
        else:
            shown.append(line)
    return shown
