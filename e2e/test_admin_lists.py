"""The lists of the admin area begin at the top of the screen, and one gets around in them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.cli.seed import fill
from e2e.support.people import sign_in
from tests.support import server as servers
from tests.support.people import make_user
from tests.support.server import Server

pytestmark = pytest.mark.long

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PEOPLE, EVENTS = 130, 400


@pytest.fixture(scope="module")
def full_server() -> Iterator[Server]:
    """Nobody else's people come in between."""
    with servers.running() as server:
        server.run(lambda: fill(PEOPLE, EVENTS))
        yield server


@pytest.fixture
def admin(browser: Browser, full_server: Server) -> Iterator[Page]:
    context: BrowserContext = browser.new_context(base_url=full_server.url)
    sign_in(context, full_server, full_server.run(lambda: make_user(role="admin", name="Alex Admin")))
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("path", ["/admin/users", "/admin/audit"])
def test_list_begins_at_the_top(admin: Page, path: str) -> None:
    admin.set_viewport_size(WIDE)  # type: ignore[arg-type]

    admin.goto(path)

    first = admin.get_by_role("rowheader").first.bounding_box()
    assert first
    assert first["y"] <= 440


@pytest.mark.parametrize("path", ["/admin/users", "/admin/audit"])
def test_list_begins_at_the_top_of_a_phone_and_a_row_has_two_lines(admin: Page, path: str) -> None:
    admin.set_viewport_size(PHONE)  # type: ignore[arg-type]

    admin.goto(path)

    rows = admin.get_by_role("table").get_by_role("row")
    first = rows.first.bounding_box()
    assert first
    assert first["y"] <= 520
    tall = sorted(row["height"] for row in (each.bounding_box() for each in rows.all()) if row)
    assert tall[len(tall) // 2] <= 125  # half of the rows; the words of an event may need more lines
    assert admin.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_filters_are_one_row_with_their_button(admin: Page) -> None:
    admin.set_viewport_size(WIDE)  # type: ignore[arg-type]
    admin.goto("/admin/users")

    fields = admin.get_by_role("search").locator("input:visible, select:visible, button:visible")
    bottoms = {round(box["y"] + box["height"]) for box in (each.bounding_box() for each in fields.all()) if box}

    assert fields.count() == 6
    assert max(bottoms) - min(bottoms) <= 1


def test_filters_of_a_phone_open_at_a_press(admin: Page) -> None:
    admin.set_viewport_size(PHONE)  # type: ignore[arg-type]
    admin.goto("/admin/users")
    expect(admin.get_by_label("Role")).to_be_hidden()

    admin.get_by_text("Filters", exact=True).click()
    admin.get_by_label("Role").select_option("admin")
    admin.get_by_role("button", name="Search").click()

    expect(admin.get_by_label("Role")).to_have_value("admin")
    expect(admin.get_by_text("Clear filters")).to_be_visible()


def test_pages_go_on_and_back_and_say_where_one_is(admin: Page) -> None:
    admin.goto("/admin/users?sort=name")
    pages = admin.get_by_role("navigation", name="Pages")
    first = admin.get_by_role("rowheader").all_text_contents()
    expect(pages).to_contain_text("1 to 50 of")
    expect(pages.get_by_role("link", name="Previous")).to_have_count(0)

    pages.get_by_role("link", name="Next").click()
    expect(pages).to_contain_text("51 to 100 of")
    pages.get_by_role("link", name="Next").click()
    expect(pages).to_contain_text("101 to 13")
    expect(pages.get_by_role("link", name="Next")).to_have_count(0)
    pages.get_by_role("link", name="Previous").click()
    expect(pages).to_contain_text("51 to 100 of")
    pages.get_by_role("link", name="Previous").click()
    expect(pages).to_contain_text("1 to 50 of")
    assert admin.get_by_role("rowheader").all_text_contents() == first

    pages.get_by_role("link", name="Next").click()
    pages.get_by_role("link", name="First").click()
    expect(pages).to_contain_text("1 to 50 of")


def test_page_size_is_kept_from_page_to_page(admin: Page) -> None:
    admin.goto("/admin/users")
    pages = admin.get_by_role("navigation", name="Pages")

    pages.get_by_role("link", name="25", exact=True).click()
    expect(pages).to_contain_text("1 to 25 of")
    pages.get_by_role("link", name="Next").click()

    expect(pages).to_contain_text("26 to 50 of")
    expect(pages.get_by_role("link", name="25", exact=True)).to_have_attribute("aria-current", "true")


def test_column_head_sorts_and_sorts_the_other_way(admin: Page) -> None:
    admin.goto("/admin/users?status=active")
    head = admin.get_by_role("columnheader", name="User")
    expect(head).not_to_have_attribute("aria-sort", "ascending")

    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    names = [text.strip().casefold() for text in admin.locator(".person-name").all_text_contents()]
    assert names == sorted(names)
    head.get_by_role("link").click()

    expect(head).to_have_attribute("aria-sort", "descending")
    expect(admin.get_by_label("State")).to_have_value("active")


def test_addresses_do_not_break_inside_a_word(admin: Page) -> None:
    admin.set_viewport_size(WIDE)  # type: ignore[arg-type]
    admin.goto("/admin/audit")

    broken = admin.locator(".person-email bdi").evaluate_all(
        'all => all.filter(each => each.textContent.includes("@") && each.getClientRects().length > 1).length'
    )

    assert broken == 0
