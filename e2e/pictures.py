"""Takes the pictures that README shows: a server with the demo accounts and full lists, and a browser.

python -m e2e.pictures     (make pictures)
"""

from dataclasses import dataclass
from typing import Any, Literal

from playwright.sync_api import Page, sync_playwright

from app.auth.accounts import demo_accounts
from app.cli.seed import fill
from app.settings import ROOT
from e2e.gallery import EVENTS, PEOPLE
from e2e.support import browser as browsers
from tests.support.server import running

FOLDER = ROOT / "docs" / "pictures"
SIZE: Any = {"width": 1280, "height": 960}
# Of the browser that most readers have: the pages name it.
USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/{major}.0.0.0 Safari/537.36"
)


@dataclass(frozen=True)
class Picture:
    """`account`: which demo account has signed in, "" for nobody."""

    account: str
    path: str
    scheme: Literal["light", "dark"]


PICTURES = {
    "sign-in": Picture("", "/login", "light"),
    "dashboard": Picture("user", "/dashboard", "light"),
    "admin": Picture("admin", "/admin", "dark"),
    "lab": Picture("user", "/learn/lab/inspector", "light"),  # learn
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with running() as server, sync_playwright() as playwright:
        server.run(lambda: fill(PEOPLE, EVENTS))
        browser = browsers.launch(playwright)
        for name, picture in PICTURES.items():
            agent = USER_AGENT.format(major=browser.version.partition(".")[0])
            context = browser.new_context(
                base_url=server.url, viewport=SIZE, color_scheme=picture.scheme, user_agent=agent
            )
            page = context.new_page()
            if picture.account:
                sign_in(page, picture.account)
            page.goto(picture.path)
            page.screenshot(path=FOLDER / f"{name}.png")
            context.close()
        browser.close()


def sign_in(page: Page, role: str) -> None:
    account = next(each for each in demo_accounts.ACCOUNTS if each.role == role)
    page.goto("/login")
    page.get_by_label("E-mail").fill(account.email)
    page.get_by_label("Password", exact=True).fill(account.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/dashboard*")


if __name__ == "__main__":
    main()
