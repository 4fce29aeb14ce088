"""APP_REGISTRATION: who may create an account, on pages and in the API, with `open`, `invited` and `closed`."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth.accounts import signup, user_admin
from app.auth.errors import RegistrationClosed
from app.auth.models import link_rows, user_rows
from app.email.models import email_rows
from app.settings import get_settings
from tests.support.mailbox import emails_to, link_in
from tests.support.pages import without_keys
from tests.support.people import PASSWORD, make_user, sign_in, start_session
from tests.support.sent import bearer
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

EMAIL, NEW = "joan@example.com", "a brand new passphrase"
FIELDS = {"name": "Joan Example", "email": EMAIL, "password": PASSWORD}
INVITATION = {"email": EMAIL, "name": "Joan Example", "role": "user"}
SAYS = {"invited": "by invitation only", "closed": "takes no new accounts"}
NOT_OPEN = tuple(SAYS)
JSON = {"Accept": "application/json"}


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Start the site anew with this value."""
    return lambda value: monkeypatch.setattr(get_settings(), "registration", value)


async def count(table: Any) -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).select_from(table)))


async def invited_link() -> tuple[Any, str]:
    """An invitation, and the link in its e-mail."""
    admin = await make_user(role="admin")
    user_id = await user_admin.invite(EMAIL, "Joan Example", "user", admin.id)
    return user_id, link_in((await emails_to(EMAIL))[-1])


async def invited_by_page(client: Visitor) -> Any:
    await sign_in(client, await make_user(role="admin"))
    return await client.submit("/admin/users/new", INVITATION | {"current_password": PASSWORD})


async def invited_by_api(client: Visitor) -> Any:
    pair = await start_session(await make_user(role="admin"), program=True)
    return await client.post("/api/admin/users", json=INVITATION, headers=bearer(pair))


@pytest.mark.parametrize("value", NOT_OPEN)
@pytest.mark.parametrize("path", ["/register", "/register/sent", "/verify-email/resend", "/verify-email/sent"])
async def test_page_of_sign_up_says_what_holds(
    client: Visitor, site: Callable[[str], None], value: str, path: str
) -> None:
    site(value)

    page = await client.visit(path)

    assert page.status_code == 403
    assert SAYS[value] in page.text
    assert "<form" not in page.text


@pytest.mark.parametrize("value", NOT_OPEN)
@pytest.mark.parametrize("path", ["/register", "/verify-email/resend"])
async def test_form_that_is_sent_all_the_same_gets_one_answer_for_every_address(
    client: Visitor, site: Callable[[str], None], value: str, path: str
) -> None:
    """v5.0.0-6.3.8: free, taken, waiting, impossible and missing."""
    await signup.request("waiting@example.com", "Joan", PASSWORD)
    taken = await make_user()
    before = [await count(table) for table in (user_rows, link_rows, email_rows)]
    site(value)

    answers = set()
    for email in ("free@example.com", taken.email, "waiting@example.com", "no address", ""):
        answer = await client.submit(path, FIELDS | {"email": email})
        page = without_keys(answer.text).replace(answer.headers["x-request-id"], "")
        answers.add((answer.status_code, page.partition("<body>")[2]))

    assert [status for status, _ in answers] == [403]
    assert [await count(table) for table in (user_rows, link_rows, email_rows)] == before


@pytest.mark.parametrize("value", NOT_OPEN)
async def test_program_gets_a_code(client: Visitor, site: Callable[[str], None], value: str) -> None:
    site(value)

    answer = await client.submit("/register", FIELDS, headers=JSON)

    assert answer.status_code == 403
    assert answer.json()["error"] == "registration_closed"
    assert SAYS[value] in answer.json()["detail"]


async def test_code_stands_in_the_description_of_the_api(client: Visitor) -> None:
    problem = (await client.get("/openapi.json")).json()["components"]["schemas"]["ProblemDetails"]

    assert "registration_closed" in problem["properties"]["error"]["description"]


@pytest.mark.parametrize(("value", "offered"), [("open", True), ("invited", False), ("closed", False)])
@pytest.mark.parametrize("path", ["/", "/login", "/verify-email?token=old"])
async def test_sign_up_is_offered_where_it_is_open(
    client: Visitor, site: Callable[[str], None], path: str, value: str, offered: bool
) -> None:
    site(value)

    page = await client.visit(path)

    assert ('href="/register"' in page.text) is offered
    assert "/verify-email/resend" not in page.text or offered


@pytest.mark.parametrize("value", NOT_OPEN)
async def test_registration_from_before_creates_no_account(
    client: Visitor, site: Callable[[str], None], value: str
) -> None:
    await client.submit("/register", FIELDS)
    link = link_in((await emails_to(EMAIL))[-1])
    site(value)

    pages = [await client.visit(link), await client.submit("/verify-email", {"token": link.partition("=")[2]})]

    assert [page.status_code for page in pages] == [403, 403]
    assert all(SAYS[value] in page.text for page in pages)
    assert await count(user_rows) == 0
    site("open")
    assert (await client.submit("/verify-email", {"token": link.partition("=")[2]})).status_code == 303


@pytest.mark.parametrize("value", NOT_OPEN)
async def test_registration_that_waits_to_be_mailed_is_not_mailed(
    client: Visitor, site: Callable[[str], None], value: str
) -> None:
    await client.submit("/register", FIELDS)
    await client.submit("/verify-email/resend", {"email": EMAIL})
    site(value)

    assert await emails_to(EMAIL) == []


@pytest.mark.parametrize("value", NOT_OPEN)
async def test_rule_itself_refuses_every_caller(database: str, site: Callable[[str], None], value: str) -> None:
    site(value)

    for refused in (signup.request(EMAIL, "Joan", PASSWORD), signup.resend(EMAIL)):
        with pytest.raises(RegistrationClosed):
            await refused
    assert await count(link_rows) == 0


@pytest.mark.parametrize("value", ["open", "invited"])
async def test_invited_person_comes_in(client: Visitor, site: Callable[[str], None], value: str) -> None:
    site(value)

    _, link = await invited_link()
    chosen = await client.submit("/reset-password", {"token": link.partition("=")[2], "password": NEW})

    assert (chosen.status_code, chosen.headers["location"]) == (303, "/login?notice=password_reset")
    assert (await client.submit("/login", {"email": EMAIL, "password": NEW})).status_code == 303


@pytest.mark.parametrize("ask", [invited_by_page, invited_by_api])
@pytest.mark.parametrize(("value", "status"), [("open", (303, 201)), ("invited", (303, 201)), ("closed", (403, 403))])
async def test_administrator_invites_unless_closed(
    client: Visitor, site: Callable[[str], None], ask: Callable[[Visitor], Awaitable[Any]], value: str, status: Any
) -> None:
    site(value)

    answer = await ask(client)

    assert answer.status_code == status[ask is invited_by_api]
    people = await count(user_rows)
    assert people == (1 if value == "closed" else 2)
    if value == "closed":
        assert "takes no new accounts" in answer.text
        assert "<code>APP_REGISTRATION</code>" in answer.text or answer.json()["error"] == "registration_closed"


async def test_invitation_from_before_is_refused_where_closed_and_good_again_later(
    client: Visitor, site: Callable[[str], None]
) -> None:
    _, link = await invited_link()
    token = link.partition("=")[2]
    site("closed")

    for answer in (
        await client.visit(link),
        await client.submit("/reset-password", {"token": token, "password": NEW}),
    ):
        assert answer.status_code == 403
        assert "Invitations that were sent before are not accepted either" in answer.text
    site("invited")
    assert (await client.submit("/reset-password", {"token": token, "password": NEW})).status_code == 303


async def test_invited_person_gets_no_password_by_forgetting_it_where_closed(
    client: Visitor, site: Callable[[str], None]
) -> None:
    """Nor is an invitation sent again, by the page or by the rule."""
    user_id, _ = await invited_link()
    admin = await make_user(role="admin")
    before = len(await emails_to(EMAIL))
    await sign_in(client, admin)
    site("closed")

    asked = await client.submit("/forgot-password", {"email": EMAIL})
    again = await client.submit(f"/admin/users/{user_id}/send-link")

    assert asked.headers["location"] == "/forgot-password/sent"
    assert again.status_code == 403
    assert f"/admin/users/{user_id}/send-link" not in (await client.visit(f"/admin/users/{user_id}")).text
    assert "/admin/users/new" not in (await client.visit("/admin/users")).text
    assert len(await emails_to(EMAIL)) == before


@pytest.mark.parametrize("value", ["open", "invited", "closed"])
async def test_people_with_an_account_notice_nothing(client: Visitor, site: Callable[[str], None], value: str) -> None:
    person = await make_user()
    site(value)

    await client.submit("/forgot-password", {"email": person.email})
    token = link_in((await emails_to(person.email))[-1]).partition("=")[2]
    chosen = await client.submit("/reset-password", {"token": token, "password": NEW})
    signed_in = await client.submit("/login", {"email": person.email, "password": NEW})

    assert (chosen.status_code, signed_in.status_code) == (303, 303)
    assert (await client.visit("/register")).headers["location"] == "/dashboard"
