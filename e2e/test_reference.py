"""The reference of the API in a browser: Swagger UI from our own files, under the policy of every page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.support.people import sign_in
from tests.support.people import Person
from tests.support.server import Server

pytestmark = pytest.mark.long


# v5.0.0-3.6.1
def test_reference_shows_the_api_and_tries_it_out(
    page: Page, context: BrowserContext, server: Server, person: Person
) -> None:
    sign_in(context, server, person)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto("/docs/swagger")
    page.get_by_role("button", name="get /api/auth/me", exact=True).click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()

    expect(page.locator(".live-responses-table").get_by_text(person.email).first).to_be_visible()
    assert not [url for url in asked if not url.startswith((server.url, "data:", "blob:"))]


def test_without_javascript_the_page_says_where_the_description_is(
    new_context: Callable[..., BrowserContext],
) -> None:
    page = new_context(java_script_enabled=False).new_page()

    page.goto("/docs/swagger")
    page.get_by_role("link", name="openapi.json").click()

    expect(page.locator("body")).to_contain_text('"openapi":"3.1.0"')
