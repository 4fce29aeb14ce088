"""One click signs in as a demo account: in development, on this machine, from a page of ours, and nowhere else."""

import httpx
import pytest

from app.auth.accounts import demo_accounts
from app.settings import get_settings
from tests.support.environment import ORIGIN
from tests.support.people import make_user
from tests.support.sent import cookies_set
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

PATH = "/dev/sign-in"
USER = {"email": "user@example.com", "next": "/account"}


@pytest.mark.parametrize("account", demo_accounts.ACCOUNTS, ids=lambda account: account.role)
async def test_button_of_the_login_page_signs_in(client: Visitor, account: demo_accounts.Demo) -> None:
    await demo_accounts.ensure()
    page = (await client.visit("/login?next=/account")).text
    assert f'action="{PATH}"' in page
    assert f'name="email" value="{account.email}"' in page

    answer = await client.submit(PATH, {"email": account.email, "next": "/account"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert account.name in (await client.visit("/dashboard")).text


async def test_way_on_is_a_path_of_this_site(client: Visitor) -> None:
    await demo_accounts.ensure()

    answer = await client.submit(PATH, USER | {"next": "https://evil.example/"})

    assert answer.headers["location"] == "/dashboard"


async def test_password_that_was_changed_opens_nothing(client: Visitor) -> None:
    await make_user(email="user@example.com", password="another passphrase of mine")

    answer = await client.submit(PATH, USER)

    assert answer.status_code == 422
    assert cookies_set(answer) == []


async def test_other_accounts_are_unknown_here(client: Visitor) -> None:
    person = await make_user()

    for email in (person.email, "", "USER@example.com"):
        answer = await client.submit(PATH, {"email": email})
        assert (answer.status_code, cookies_set(answer)) == (404, [])


# v5.0.0-3.5.1
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "null"},
    ],
)
async def test_form_of_another_site_is_refused(client: Visitor, headers: dict[str, str]) -> None:
    await demo_accounts.ensure()

    answer = await client.submit(PATH, USER, headers=headers)

    assert (answer.status_code, cookies_set(answer)) == (403, [])


async def test_another_machine_and_a_tunnel_find_nothing(app: object, client: Visitor) -> None:
    await demo_accounts.ensure()
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 50000))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as neighbour:
        answers = [
            await neighbour.post(PATH, data=USER, headers={"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}),
            await client.submit(PATH, USER, headers={"X-Forwarded-For": "192.0.2.7"}),
        ]
        page = (await neighbour.get("/login", headers={"Accept": "text/html"})).text

    assert [(answer.status_code, cookies_set(answer)) for answer in answers] == [(404, [])] * 2
    assert PATH not in page


async def test_production_has_neither_button_nor_route(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the route were served: `main.create_app` refuses that, see `tests/contract/test_matrix.py`."""
    await demo_accounts.ensure()
    monkeypatch.setattr(get_settings(), "env", "production")

    assert PATH not in (await client.visit("/login")).text
    answer = await client.submit(PATH, USER)
    assert (answer.status_code, cookies_set(answer)) == (404, [])
