from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.email.messages import Composer, Message
from app.settings import get_settings
from tests.support.sink import Sink, listening


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`setting(mail_url=sink.url)`, for the time of the test."""

    def change(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setattr(get_settings(), name, value)

    return change


@pytest.fixture
def sink(setting: Callable[..., None]) -> Iterator[Sink]:
    """The mail server of the settings."""
    with listening() as sink:
        setting(mail_url=sink.url)
        yield sink


@pytest.fixture
def composers() -> dict[str, Composer]:
    async def hello(email_message: Any) -> Message:
        return Message(email_message.recipient, "Hello", "Hello to you.\n", "<p>Hello to you.</p>\n")

    async def nobody(_: Any) -> None:
        return None

    return {"hello": hello, "nobody": nobody}
