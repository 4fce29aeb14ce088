"""One server and one browser for all tests, one context per test, and no page error goes unseen."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from app import main  # noqa: F401 - registers the features and their models, in their order
from e2e.support import browser as browsers
from tests.support import server as servers
from tests.support.people import Person, make_user
from tests.support.server import Server

RESULTS = Path(__file__).parent / "results"  # pictures and traces of what failed: `playwright show-trace`
PATIENCE = 10_000  # milliseconds


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    # Everybody in these tests sits at one address.
    with servers.running(APP_ADDRESS_EMAILS_PER_HOUR="10000") as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            browser = browsers.launch(playwright)
        except browsers.NoBrowserError as error:
            pytest.exit(str(error), returncode=1)
        yield browser
        browser.close()


@pytest.fixture
def new_context(
    browser: Browser, server: Server, request: pytest.FixtureRequest, complaints: list[str]
) -> Iterator[Callable[..., BrowserContext]]:
    """More browsers in one test: `new_context(java_script_enabled=False)`. Addresses are relative to the server's."""
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(base_url=server.url, **options)
        context.set_default_timeout(PATIENCE)
        context.on("weberror", lambda error: complaints.append(f"page error: {error.error}"))
        context.on("console", lambda message: _listen(message, complaints))
        context.tracing.start(snapshots=True)
        made.append(context)
        return context

    yield make
    failed = request.node.stash.get(FAILED, False) or bool(complaints)
    for number, context in enumerate(made, start=1):
        _put_away(context, RESULTS / f"{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())}-{number}", keep=failed)


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def person(server: Server) -> Person:
    """Somebody with an account, not signed in: `sign_in(context, server, person)`."""
    return server.run(make_user)


@pytest.fixture(autouse=True)
def complaints() -> Iterator[list[str]]:
    """What pages complained about, in any context. A test that provokes a complaint takes it out again."""
    heard: list[str] = []
    yield heard
    assert not heard, "\n".join(heard)


def _listen(message: ConsoleMessage, complaints: list[str]) -> None:
    if message.type == "error" and "Content Security Policy" in message.text:
        complaints.append(message.text)


def _put_away(context: BrowserContext, target: Path, *, keep: bool) -> None:
    if keep:
        target.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(context.pages, start=1):
            page.screenshot(path=target / f"page-{number}.png", full_page=True)
    context.tracing.stop(path=target / "trace.zip" if keep else None)
    context.close()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report
