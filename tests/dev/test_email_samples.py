"""The samples of the developer's mailbox: there is one for each kind of e-mail, and it is what is really sent."""

import pytest
import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth import email_links, passwords
from app.auth.models import link_rows, user_rows
from app.dev import email_samples
from app.email.models import email_rows
from app.email.outbox import QueuedEmail
from app.settings import get_settings
from app.web import features
from tests.support.people import make_user
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

FREE = "free@example.com"  # an address without an account
FACTS = {"device": "Firefox on Linux", "ip": "203.0.113.7", "user_agent": "", "new": "new@example.com"}
# Kind -> the link that its composer looks for, and whether that has the e-mail's own id.
LINKS = {
    "register": (email_links.REGISTER, False),
    "resend": (email_links.REGISTER, False),
    "email_to_confirm": (email_links.CHANGE_EMAIL, True),
    "email_change_requested": (email_links.UNDO_EMAIL, True),
    "email_changed": (email_links.UNDO_EMAIL, True),
}
TO_A_NAMED_ADDRESS = {"register", "resend", "email_to_confirm"}


async def queued(kind: str) -> QueuedEmail:
    """An e-mail of this kind with everything that its composer looks up."""
    person, email_id, now = await make_user(), db.uuid7(), db.utcnow()
    facts = FACTS | features.table("email_samples")
    async with db.transaction() as tx:
        await tx.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(delete_after=now))
        if kind in LINKS:
            purpose, same = LINKS[kind]
            about = {"email": FREE, "email_key": FREE, "name": "Joan", "password": await passwords.random_hash()}
            link = await email_links.make(tx, purpose, now, link_id=email_id if same else None, **about)
            facts["link"] = str(link.id)
    recipient = FREE if kind in TO_A_NAMED_ADDRESS else person.email
    return QueuedEmail(email_id, kind, recipient, person.id, facts, now, 1)


@pytest.mark.parametrize("kind", features.table("emails"))
async def test_every_kind_of_e_mail_has_a_sample(kind: str) -> None:
    composed = await features.table("emails")[kind](await queued(kind))

    assert composed is not None, "prepare what its composer looks up, above"
    assert composed.subject in {email_samples.sample(name).subject for name in email_samples.names()}


@pytest.mark.parametrize("name", email_samples.names())
async def test_sample_is_shown_as_text_and_as_html(client: Visitor, name: str) -> None:
    page = await client.visit(f"/dev/mailbox/samples/{name}")
    html = await client.visit(f"/dev/mailbox/samples/{name}/html")

    sample = email_samples.sample(name)
    assert (page.status_code, html.status_code) == (200, 200)
    assert sample.subject in page.text
    assert f'src="/dev/mailbox/samples/{name}/html"' in page.text
    assert html.text == sample.html


async def test_list_leads_to_each_and_nothing_is_written(client: Visitor) -> None:
    tables = (email_rows, link_rows, event_rows)

    page = (await client.visit("/dev/mailbox/samples")).text

    assert all(f'href="/dev/mailbox/samples/{name}"' in page for name in email_samples.names())
    assert 'href="/dev/mailbox/samples"' in (await client.visit("/dev/mailbox")).text
    assert [await db.fetch_all(sa.select(table)) for table in tables] == [[], [], []]


@pytest.mark.parametrize("name", ["frame", "nothing", "..%2Fbase", "../base", "%00"])
async def test_what_is_no_template_of_an_e_mail_is_not_found(client: Visitor, name: str) -> None:
    for path in (f"/dev/mailbox/samples/{name}", f"/dev/mailbox/samples/{name}/html"):
        assert (await client.visit(path)).status_code == 404


async def test_another_machine_and_production_find_nothing(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ["/dev/mailbox/samples", "/dev/mailbox/samples/password_reset", "/dev/mailbox/samples/password_reset/html"]
    tunnel = [await client.visit(path, headers={"X-Forwarded-For": "192.0.2.7"}) for path in paths]
    monkeypatch.setattr(get_settings(), "env", "production")

    answers = [*tunnel, *[await client.visit(path) for path in paths]]

    assert {answer.status_code for answer in answers} == {404}
