"""Takes pictures of every page and state, in each scheme and width, and writes them on one page to look through.

python -m e2e.gallery [word ...]     (make gallery; N="login admin" for the pages whose name has one of the words)
"""

import re
import sys
from collections.abc import Iterator
from html import escape
from typing import Any

from playwright.sync_api import Browser, Error, Page, sync_playwright

from app.cli.seed import fill
from app.settings import ROOT
from e2e.support import browser as browsers
from e2e.support.people import sign_in
from e2e.test_every_page import PAGES, Scene
from tests.support.people import make_user
from tests.support.server import Server, running

FOLDER = ROOT / "var" / "gallery"
PEOPLE, EVENTS = 120, 6000
HEIGHT = 900
# Name of a picture -> width in CSS pixels, and what the browser is set to.
LOOKS: dict[str, tuple[int, dict[str, Any]]] = {
    "wide-light": (1280, {"color_scheme": "light"}),
    "wide-dark": (1280, {"color_scheme": "dark"}),
    "phone-light": (390, {"color_scheme": "light"}),
    "phone-dark": (390, {"color_scheme": "dark"}),
    "wide-forced": (1280, {"color_scheme": "light", "forced_colors": "active"}),
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 1rem; background: #777; color: #fff }
div { display: grid; grid-template-columns: 3fr 3fr 1fr 1fr 3fr; gap: 0.5rem; align-items: start }
img { inline-size: 100%; block-size: auto; max-block-size: 60rem; object-fit: cover; object-position: top }
"""


def main(words: list[str]) -> None:
    chosen = [name for name in PAGES if not words or any(word in name for word in words)]
    if not chosen:
        sys.exit(f"No page has such a name. Pages: {'; '.join(PAGES)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running(APP_ADDRESS_EMAILS_PER_HOUR="10000") as server, sync_playwright() as playwright:
        server.run(lambda: fill(PEOPLE, EVENTS))
        browser = browsers.launch(playwright)
        for number, name in enumerate(chosen, start=1):
            print(f"{number:3} of {len(chosen)}  {name}", flush=True)
            take(browser, server, name)
        browser.close()
    (FOLDER / "index.html").write_text("\n".join(overview(chosen)))
    print(f"Open {FOLDER / 'index.html'}")


def take(browser: Browser, server: Server, name: str) -> None:
    """Bring a browser to the page as its test does, and take each picture of it."""
    role, _, steps = PAGES[name]
    context = browser.new_context(base_url=server.url, reduced_motion="reduce")
    person = server.run(lambda: make_user(role=role)) if role else None
    if person:
        sign_in(context, server, person)
    page = context.new_page()
    try:
        steps(Scene(page, server, person))
        for look_name in LOOKS:
            picture(page, name, look_name)
    except (AssertionError, Error) as error:  # the other pages are worth looking at all the same
        print(f"    not taken: {str(error).splitlines()[0]}", file=sys.stderr)
    context.close()


def picture(page: Page, name: str, look: str) -> None:
    width, media = LOOKS[look]
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(**{"forced_colors": "none", **media})
    page.screenshot(path=FOLDER / file_name(name, look), full_page=True, animations="disabled")


def overview(names: list[str]) -> Iterator[str]:
    """The lines of the page with all pictures."""
    yield f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Gallery</title><style>{STYLE}</style>"
    for name in names:
        yield f"<h2>{escape(name)}</h2><div>"
        for look in LOOKS:
            file = file_name(name, look)
            yield f"<a href='{file}'><img loading='lazy' src='{file}' alt='{escape(name)}, {look}'></a>"
        yield "</div>"


def file_name(name: str, look: str) -> str:
    return f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{look}.png"


if __name__ == "__main__":
    main(sys.argv[1:])
