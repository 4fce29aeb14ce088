"""Email samples: every e-mail of the site with made-up data, for the developer's mailbox.

Nothing is queued and no row is read: a sample is the template with the values below and those that features bring. A
template that asks for a name that is not among them fails `tests/dev/test_email_samples.py`; so does a new kind of
e-mail that shows none of them.
"""

from datetime import UTC, datetime
from typing import Any

from app.email import messages
from app.email.messages import Message
from app.settings import get_settings
from app.web import features, templates

RECIPIENT = "robin@example.com"
SENT_AT = datetime(2026, 1, 2, 15, 4, tzinfo=UTC)


def names() -> list[str]:
    """The templates of e-mails, by name; `frame.html`, the HTML around each, is none."""
    return sorted(path.stem for path in (templates.TEMPLATES / "email").glob("*.txt"))


def sample(name: str) -> Message:
    """The e-mail of that template. Errors: jinja2.UndefinedError where `_values` lacks a name."""
    return messages.from_template(name, RECIPIENT, **_values())


def _values() -> dict[str, Any]:
    return {
        "when": SENT_AT,
        "day": SENT_AT.replace(day=16),
        "device": "Firefox on Linux",
        "ip": "203.0.113.7",
        "new": "robin.new@example.com",
        "url": f"{get_settings().origin}/verify-email?token=a-sample-opens-nothing",
    } | features.table("email_samples")
