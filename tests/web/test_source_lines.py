"""The error page of development shows the exception with its source; anybody else sees nothing of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.settings import ROOT, get_settings
from app.web import errors, templates
from app.web.errors import ErrorBoundary
from tests.support.visitor import Visitor

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyb2JpbiJ9.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def real_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the site: the assembled application of this folder has its own."""
    monkeypatch.setattr(templates, "TEMPLATES", ROOT / "templates")


async def page_of(fails: Callable[[], Any], *headers: tuple[bytes, bytes], peer: str = "127.0.0.1") -> str:
    """The page that a browser gets when the handler fails so."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        fails()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "client": (peer, 50)}
    await ErrorBoundary(app)({**scope, "headers": [(b"accept", b"text/html"), *headers]}, None, send)
    assert sent[0]["status"] == 500
    return b"".join(message.get("body", b"") for message in sent).decode()


def fails_with(text: str) -> Callable[[], Any]:
    def fails() -> Any:
        raise RuntimeError(text)  # the line that failed

    return fails


async def test_page_shows_the_line_that_failed_with_those_around_and_who_called_it() -> None:
    page = await page_of(fails_with("no such colour"))

    assert "<code>RuntimeError</code>" in page
    assert "no such colour" in page
    assert re.search(r"<mark> *\d+  +raise RuntimeError\(text\)  # the line that failed</mark>", page)
    assert "def fails() -&gt; Any:" in page  # the line before
    assert "tests/web/test_source_lines.py:" in page
    assert page.index("in <code>fails</code>") < page.index("in <code>app</code>") < page.index("app/web/errors.py:")


async def test_cause_is_shown_and_packages_are_folded() -> None:
    def fails() -> Any:
        try:
            int("many")
        except ValueError as error:
            raise RuntimeError("not a number") from error

    def fails_in_a_package() -> Any:
        import jinja2

        jinja2.Environment().from_string("{{").render()

    page, folded = await page_of(fails), await page_of(fails_in_a_package)

    assert page.index("RuntimeError") < page.index("ValueError")
    assert "invalid literal for int()" in page
    assert re.search(r"<details open>\s*<summary><code>tests/web/test_source_lines.py", folded)
    assert re.search(r"<details>\s*<summary><code>jinja2/", folded)
    assert not re.search(r"<details open>\s*<summary><code>jinja2/", folded)


async def test_everything_is_escaped() -> None:
    page = await page_of(fails_with("<script>alert(1)</script>"))

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


# v5.0.0-16.5.1, v5.0.0-13.4.2
@pytest.mark.parametrize(
    ("env", "peer", "headers"),
    [
        ("production", "127.0.0.1", []),
        ("development", "192.0.2.7", []),
        ("development", "127.0.0.1", [(b"x-forwarded-for", b"192.0.2.7")]),
    ],
)
async def test_production_and_other_machines_see_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, env: str, peer: str, headers: list[tuple[bytes, bytes]]
) -> None:
    monkeypatch.setattr(get_settings(), "env", env)

    page = await page_of(fails_with("no such colour"), *headers, peer=peer)

    assert errors.DETAILS[500] in page
    assert not [word for word in ("no such colour", "RuntimeError", "test_source_lines", "<pre") if word in page]


async def test_programs_see_nothing_of_it_in_development_either(site: Visitor) -> None:
    answer = await site.get("/fails/bug")

    assert answer.json().keys() == {"type", "title", "status", "detail", "request_id"}
    assert "hunter2" not in answer.text


async def test_no_secret_of_settings_and_no_cookie_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = get_settings().secret_key
    cookie, opaque, bearer = f"__Host-access={TOKEN}", "device=an-opaque-value", "an-opaque-token"
    headers = [(b"cookie", f"{cookie}; {opaque}".encode()), (b"authorization", f"Bearer {bearer}".encode())]

    page = await page_of(fails_with(f"key {secret}, {cookie}, {opaque}, {bearer}, robin@example.com"), *headers)

    assert "RuntimeError" in page
    for hidden in (secret, TOKEN, "an-opaque-value", bearer, "robin@example.com"):
        assert hidden not in page


async def test_endless_recursion_is_cut_short() -> None:
    def fails() -> Any:
        fails()

    page = await page_of(fails)

    assert "RecursionError" in page
    assert page.count("<details") <= 60
