"""The development mailbox: an e-mail in both forms, with links that work, and nothing else that does."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app import db
from app.email.messages import Line
from app.email.models import email_rows
from app.web import templates
from tests.support.server import Server

pytestmark = pytest.mark.long

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]  # an e-mail has no landmarks
STYLED = """\
<!doctype html><html lang="en"><head><title>Hello</title><style>h1 {{ color: rgb(1, 2, 3) }}</style></head>
<body><h1 style="font-size: 40px">Hello</h1><p><a href="{url}/login" target="_blank" rel="noopener">Go on</a></p>
<img src="{url}/static/favicon.svg" alt=""><script>document.body.textContent = "a script ran"</script>
<form action="{url}/logout" method="post"><button>Press</button></form></body></html>
"""


def post(server: Server, to: str, html: str, text: str = "") -> str:
    """An e-mail that was sent; the path of its page."""
    now, email_id = db.utcnow(), db.uuid7()
    values = {
        "id": email_id, "kind": "hello", "recipient": to, "created_at": now, "next_try_at": now + timedelta(days=7),
        "sent_at": now, "subject": f"Hello to {to}", "text": text or "Hello.\n", "html": html,
    }  # fmt: skip
    server.run(lambda: db.execute(sa.insert(email_rows).values(values)))
    return f"/dev/mailbox/{email_id}"


def test_email_is_found_by_its_recipient_and_its_link_leads_on(page: Page, server: Server) -> None:
    post(server, "someone.else@example.com", "<p>Hello.</p>")
    post(server, "robin.mail@example.com", "<p>Hello.</p>", f"Hello.\n\n{server.url}/login?next=/account\n")

    page.goto("/")
    page.get_by_role("link", name="Mailbox").click()
    page.get_by_label("Search by recipient").fill("Robin.Mail")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("someone.else@example.com")).to_have_count(0)
    page.get_by_role("link", name="Hello to robin.mail@example.com").click()
    page.get_by_role("link", name="/login?next=/account").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_html_part_has_its_styles_and_may_only_be_followed(
    page: Page, server: Server, complaints: list[str], refused: list[str]
) -> None:
    page.goto(post(server, "robin@example.com", STYLED.format(url=server.url)))
    email_message = page.frame_locator("iframe[title='The e-mail in HTML']")

    heading = email_message.get_by_role("heading", name="Hello")
    expect(heading).to_have_css("color", "rgb(1, 2, 3)")
    expect(heading).to_have_css("font-size", "40px")
    email_message.get_by_role("button", name="Press").click()
    with page.context.expect_page() as opened:
        email_message.get_by_role("link", name="Go on").click()

    expect(opened.value.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(email_message.get_by_text("a script ran")).to_have_count(0)
    assert refused == []  # neither the picture nor the form was asked for
    complaints.clear()  # the browser says of each that the policy forbids it


def test_email_is_in_no_frame_but_its_own_page(page: Page, server: Server, complaints: list[str]) -> None:
    path = post(server, "robin@example.com", "<p>Hello.</p>")

    page.set_content(f"<iframe src='{server.url}{path}/html'></iframe><iframe src='{server.url}{path}'></iframe>")

    for number in (0, 1):
        expect(page.frame_locator("iframe").nth(number).get_by_text("Hello.")).to_have_count(0)
    assert [each for each in complaints if "frame-ancestors" in each]
    complaints.clear()


def test_email_in_html_is_accessible_in_both_colour_schemes_and_on_a_phone(page: Page) -> None:
    """Outside of its frame, where axe can run."""
    lines = [[Line("Hello,")], [Line("Choose a new password", f"https://app.example/{'x' * 100}")]]
    frame = templates.environment(templates.TEMPLATES).get_template("email/frame.html")
    page.set_content(frame.render(subject="Hello", paragraphs=[*lines, [Line("x" * 200)]], foot="Lanyard"))

    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found.append(Axe().run(page, options={"runOnly": WCAG}).generate_snapshot())
    page.set_viewport_size({"width": 320, "height": 640})
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert (found, too_wide) == (["", ""], 0)


@pytest.fixture
def refused(page: Page) -> list[str]:
    """What pages asked the server for and must not: pictures or forms in an e-mail."""
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(answer.url) if is_forbidden(answer.request) else None)
    return asked


def is_forbidden(request: Any) -> bool:
    return request.url.endswith("/static/favicon.svg") or request.method == "POST"
