"""The development mailbox: on this machine alone, in development alone, and nothing in an e-mail can act."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.email.models import email_rows
from app.settings import get_settings
from app.web import security_headers
from tests.support.environment import ORIGIN
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

HTML = "<p style='color: red'>Hello.</p>"
MARKUP = "<img src=x onerror=alert(1)>"


async def email_message(to: str = "robin@example.com", **values: Any) -> UUID:
    """One that is not the sender's business any more."""
    now, email_id = db.utcnow(), db.uuid7()
    text = {
        "subject": "Hello",
        "text": f"Hello.\n\n{ORIGIN}/login?x=1&y=2\n",
        "html": HTML,
    }
    row = {"id": email_id, "kind": "hello", "recipient": to, "created_at": now, "next_try_at": now + timedelta(days=7)}
    await db.execute(sa.insert(email_rows).values(row | text | values))
    return email_id


def paths(email_id: UUID) -> list[str]:
    return ["/dev/mailbox", f"/dev/mailbox/{email_id}", f"/dev/mailbox/{email_id}/html"]


async def statuses(client: httpx.AsyncClient, email_id: UUID, **options: Any) -> set[int]:
    return {(await client.get(path, **options)).status_code for path in paths(email_id)}


async def test_emails_are_listed_newest_first_with_their_state(client: Visitor) -> None:
    now = db.utcnow()
    await email_message("sent@example.com", sent_at=now)
    await email_message("failed@example.com", failed_at=now, error="550 nobody here")
    await email_message("", dropped_at=now, subject="")
    await email_message("waiting@example.com", subject="", text="", html="")

    page = (await client.visit("/dev/mailbox")).text

    found = [
        page.index(word) for word in ("waiting@example.com", "the owner of", "failed@example.com", "sent@example.com")
    ]
    assert found == sorted(found)
    assert [page.count(f">{state}<") for state in ("sent", "failed", "dropped", "waiting")] == [1, 1, 1, 1]
    assert "(hello)" in page


async def test_search_is_by_recipient_whatever_the_case(client: Visitor) -> None:
    await email_message("Robin@example.com", sent_at=db.utcnow())
    await email_message("kim_@example.com", sent_at=db.utcnow())

    for query, shown in {"robin@": (True, False), "kim%5F": (False, True), "%25": (False, False)}.items():
        page = (await client.visit(f"/dev/mailbox?q={query}")).text

        assert ("<bdi>Robin@example.com</bdi>" in page, "<bdi>kim_@example.com</bdi>" in page) == shown, query


async def test_long_list_has_pages(client: Visitor) -> None:
    for number in range(51):
        await email_message(f"person{number}@example.com", sent_at=db.utcnow())

    first = await client.visit("/dev/mailbox")
    cursor = first.text.partition("cursor=")[2].partition('"')[0]
    second = await client.visit(f"/dev/mailbox?cursor={cursor}")

    assert "person1@" in first.text
    assert "person0@" not in first.text
    assert "person0@" in second.text
    assert "cursor=" not in second.text


async def test_email_shows_its_text_with_a_link_that_stays_here(client: Visitor) -> None:
    page = (await client.visit(f"/dev/mailbox/{await email_message(sent_at=db.utcnow())}")).text

    assert f'<a href="/login?x=1&amp;y=2">{ORIGIN}/login?x=1&amp;y=2</a>' in page


async def test_what_stands_in_an_email_is_shown_as_text(client: Visitor) -> None:
    email_id = await email_message(
        MARKUP, subject=MARKUP, text=MARKUP, html=MARKUP, error=MARKUP, failed_at=db.utcnow()
    )

    for path in paths(email_id)[:2]:
        page = (await client.visit(path)).text

        assert "<img" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page


async def test_html_part_may_have_styles_and_nothing_else(client: Visitor) -> None:
    answer = await client.get(f"/dev/mailbox/{await email_message(sent_at=db.utcnow())}/html")

    assert answer.text == HTML
    assert answer.headers.get_list("content-security-policy") == [security_headers.EMAIL_POLICY]
    policy = answer.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert not [rule for rule in policy if "script" in rule or "allow-same-origin" in rule]


@pytest.mark.parametrize("path", ["/dev/mailbox/x", "/dev/mailbox/x/html", "/dev/mailbox/%00", "/dev"])
async def test_email_that_does_not_exist_is_not_found(client: Visitor, path: str) -> None:
    assert (await client.get(path)).status_code == 404
    assert (await client.get(f"/dev/mailbox/{db.uuid7()}")).status_code == 404


@pytest.mark.parametrize("ip", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "::ffff:192.0.2.7", ""])
async def test_another_machine_finds_nothing(app: Any, ip: str) -> None:
    email_id = await email_message(sent_at=db.utcnow())
    transport = httpx.ASGITransport(app=app, client=(ip, 50000))

    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as outside:
        assert await statuses(outside, email_id) == {404}


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_finds_it(app: Any, ip: str) -> None:
    email_id = await email_message(sent_at=db.utcnow())
    transport = httpx.ASGITransport(app=app, client=(ip, 50000))

    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as here:
        assert await statuses(here, email_id) == {200}


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
async def test_client_that_comes_through_a_tunnel_gets_404(client: Visitor, header: str) -> None:
    """The peer is this machine then; the visitor is anybody."""
    email_id = await email_message(sent_at=db.utcnow())

    assert await statuses(client, email_id, headers={header: "for=192.0.2.7"}) == {404}
    assert "admin demo passphrase" not in (await client.get("/login", headers={header: "for=192.0.2.7"})).text


async def test_in_production_there_is_nothing_even_if_it_is_served(
    client: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    email_id = await email_message(sent_at=db.utcnow())
    monkeypatch.setattr(get_settings(), "env", "production")

    assert await statuses(client, email_id) == {404}


async def test_mailbox_is_one_click_away(client: Visitor) -> None:
    for path in ("/", "/login"):
        assert 'href="/dev/mailbox"' in (await client.visit(path)).text
