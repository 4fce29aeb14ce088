"""/login, /logout and /step-up as the contract fixes them."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import session_rows, user_rows
from app.settings import get_settings
from app.web import notices
from tests.support import forge
from tests.support.clock import Clock
from tests.support.environment import ORIGIN
from tests.support.people import PASSWORD, make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

ACCESS, REFRESH, DEVICE, METHOD = "__Host-access", "__Host-refresh", "__Host-device", "__Host-method"
ATTRIBUTES = {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"}


def set_cookies(response: httpx.Response) -> dict[str, tuple[str, set[str]]]:
    """Name -> value and attributes, of every Set-Cookie."""
    found = {}
    for line in response.headers.get_list("set-cookie"):
        (name, value), *attributes = [
            part.strip().partition("=")[::2] if n == 0 else part.strip() for n, part in enumerate(line.split(";"))
        ]
        found[name] = (value, set(attributes))
    return found


async def live_sessions() -> int:
    return len(await db.fetch_all(sa.select(session_rows.c.id).where(session_rows.c.revoked_at.is_(None))))


async def count(event: str) -> int:
    return len(await db.fetch_all(sa.select(event_rows.c.id).where(event_rows.c.event == event)))


async def log_in(
    client: Visitor, email: str, password: str = PASSWORD, to: str = "", **options: object
) -> httpx.Response:
    return await client.submit("/login", {"email": email, "password": password, "next": to}, **options)


# v5.0.0-3.3.1, v5.0.0-3.3.2, v5.0.0-3.3.3, v5.0.0-3.3.4, v5.0.0-7.2.2
@pytest.mark.pattern("login-endpoint")
@pytest.mark.pattern("pitfall-localstorage")
async def test_right_password_sets_both_cookies_and_goes_on(client: Visitor) -> None:
    person = await make_user()

    answer = await log_in(client, person.email, to="/account?q=x")

    assert (answer.status_code, answer.headers["location"]) == (303, "/account?q=x")
    cookies = set_cookies(answer)
    assert set(cookies) == {ACCESS, REFRESH, DEVICE, METHOD}  # of the third: test_known_devices
    assert cookies[METHOD] == ("password", ATTRIBUTES | {f"Max-Age={60 * 24 * 3600}"})
    for name, seconds in ((ACCESS, 900), (REFRESH, 604800)):
        value, attributes = cookies[name]
        claims = forge.claims(value)
        assert attributes == ATTRIBUTES | {f"Max-Age={seconds}"}
        assert claims["exp"] - claims["iat"] == seconds
    assert await count(events.LOGIN) == 1


# v5.0.0-6.3.8
@pytest.mark.pattern("login-errors")
async def test_wrong_unknown_inactive_and_impossible_look_alike(client: Visitor) -> None:
    """v5.0.0-6.3.8: the same page, but for the request's own id, nonce and the address typed."""
    person, inactive = await make_user(), await make_user(active=False)
    bodies = set()
    for email, password in (
        (person.email, "wrong horse battery staple"),
        ("nobody@example.com", PASSWORD),
        (inactive.email, PASSWORD),
        ("x\x00y@example.com", PASSWORD),
        ("not an address", PASSWORD),
    ):
        answer = await log_in(client, email, password)

        assert answer.status_code == 422
        assert not set_cookies(answer)
        assert "password" not in answer.headers.get("location", "")
        assert PASSWORD not in answer.text
        bodies.add(answer.text.split('role="alert"')[1].split("</")[0])
    assert len(bodies) == 1
    assert await count(events.LOGIN_FAILED) == 5
    assert await live_sessions() == 0


async def test_wrong_password_keeps_the_address_and_never_the_password(client: Visitor) -> None:
    answer = await log_in(client, "robin@example.com", "secret-typed-in-vain")

    assert 'value="robin@example.com"' in answer.text
    assert "secret-typed-in-vain" not in answer.text


@pytest.mark.parametrize("typed", ["PERSON@Example.COM", "  person@example.com "])
async def test_address_is_the_same_in_any_case(client: Visitor, typed: str) -> None:
    await make_user(email="person@example.com")

    assert (await log_in(client, typed)).status_code == 303


async def test_dots_and_plus_signs_make_another_address(client: Visitor) -> None:
    await make_user(email="a.b+c@example.com")

    for other in ("ab+c@example.com", "a.b@example.com"):
        assert (await log_in(client, other)).status_code == 422


# v5.0.0-7.2.4
async def test_login_starts_a_new_session_and_ends_the_one_it_finds(client: Visitor) -> None:
    """Session fixation (v5.0.0-7.2.4): planted or old values never survive a login."""
    first, second = await make_user(), await make_user()
    old = await sign_in(client, first)

    answer = await log_in(client, second.email)

    fresh = set_cookies(answer)
    assert fresh[ACCESS][0] != old.access_token
    assert forge.claims(fresh[ACCESS][0])["sub"] == str(second.id)
    assert await live_sessions() == 1
    row = await db.fetch_one(sa.select(session_rows).where(session_rows.c.user_id == first.id))
    assert row.revoked_for == events.REPLACED


async def test_invalid_cookie_of_another_does_not_hinder_a_login(client: Visitor) -> None:
    person = await make_user()
    for name in (ACCESS, REFRESH):
        client.put_cookie(name, "planted")

    assert (await log_in(client, person.email)).status_code == 303


async def test_login_page_with_a_live_session_goes_on(client: Visitor) -> None:
    await sign_in(client, await make_user())

    answer = await client.visit("/login?next=/account")

    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


async def test_session_near_its_absolute_end_can_be_replaced_by_a_new_sign_in(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    await sign_in(client, person)
    ends_at = clock.now + timedelta(minutes=5)
    await db.execute(sa.update(session_rows).values(ends_at=ends_at))

    page = await client.visit("/login?next=/account")
    answer = await log_in(client, person.email)

    assert (page.status_code, answer.status_code) == (200, 303)
    old, new = await db.fetch_all(sa.select(session_rows).order_by(session_rows.c.id))
    assert (old.revoked_for, new.revoked_for) == (events.REPLACED, None)
    assert new.ends_at == clock.now + timedelta(seconds=get_settings().session_seconds)


async def test_session_more_than_five_minutes_from_its_end_is_not_replaced(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    await db.execute(sa.update(session_rows).values(ends_at=clock.now + timedelta(minutes=5, seconds=1)))

    assert (await client.visit("/login?next=/account")).status_code == 303


# v5.0.0-14.2.1
async def test_credentials_in_the_address_are_not_processed(client: Visitor) -> None:
    """v5.0.0-14.2.1"""
    person = await make_user()

    answer = await client.visit(f"/login?email={person.email}&password={PASSWORD}")

    assert answer.status_code == 200
    assert not set_cookies(answer)
    assert person.email not in answer.text
    assert PASSWORD not in answer.text


# v5.0.0-3.7.2
@pytest.mark.parametrize(
    "bad",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/login",
        "/logout",
        "/api/auth/me",
        "javascript:alert(1)",
    ],
)
async def test_next_never_leads_away(client: Visitor, bad: str) -> None:
    person = await make_user()

    assert (await log_in(client, person.email, to=bad)).headers["location"] == "/dashboard"


# v5.0.0-3.5.1
async def test_login_from_another_site_is_refused(client: Visitor) -> None:
    """v5.0.0-7.6.2: login CSRF."""
    person = await make_user()

    answer = await log_in(
        client, person.email, headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    )

    assert answer.status_code == 403
    assert not set_cookies(answer)
    assert await live_sessions() == 0


# v5.0.0-7.4.1, v5.0.0-14.3.1
async def test_logout_ends_the_session_and_clears_the_browser(client: Visitor) -> None:
    pair = await sign_in(client, await make_user())

    answer = await client.submit("/logout")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login?notice=signed_out")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    told = {name: value for name, value in set_cookies(answer).items() if name != notices.cookie_name()}
    assert {name: value.strip('"') for name, (value, _) in told.items()} == {ACCESS: "", REFRESH: ""}
    for _, attributes in told.values():
        assert attributes == ATTRIBUTES | {"Max-Age=0"}
    assert await live_sessions() == 0
    replay = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {pair.access_token}"})
    assert replay.status_code == 401
    assert (await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})).status_code == 401


@pytest.mark.parametrize("kept", [ACCESS, REFRESH])
async def test_logout_works_with_either_cookie_alone(client: Visitor, kept: str) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie(ACCESS if kept == REFRESH else REFRESH)

    assert (await client.submit("/logout")).status_code == 303

    assert await live_sessions() == 0


async def test_logout_with_tokens_that_are_over_still_ends_the_session(client: Visitor) -> None:
    pair = await sign_in(client, await make_user())
    client.put_cookie(ACCESS, forge.expired(pair.access_token))
    client.put_cookie(REFRESH, forge.expired(pair.refresh_token))

    await client.submit("/logout")

    assert await live_sessions() == 0


async def test_logout_twice_is_no_error_and_one_event(client: Visitor) -> None:
    pair = await sign_in(client, await make_user())
    for _ in range(2):
        client.put_cookie(ACCESS, pair.access_token)
        assert (await client.submit("/logout")).status_code == 303

    assert await count(events.LOGOUT) == 1


async def test_forged_token_ends_nobodys_session(client: Visitor) -> None:
    pair = await sign_in(client, await make_user())
    client.put_cookie(ACCESS, forge.resign(pair.access_token, key="x" * 40))
    client.drop_cookie(REFRESH)

    assert (await client.submit("/logout")).status_code == 303

    assert await live_sessions() == 1


# v5.0.0-3.5.3
async def test_logout_needs_a_post_of_our_own_page(client: Visitor) -> None:
    await sign_in(client, await make_user())

    assert (await client.visit("/logout")).status_code == 405
    assert (await client.submit("/logout", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert await live_sessions() == 1


# v5.0.0-7.2.4
async def test_step_up_page_takes_the_password_and_replaces_the_session(client: Visitor, clock: Clock) -> None:
    person = await make_user(role="admin")
    victim = await make_user()
    await sign_in(client, person)
    clock.forward(minutes=11)
    confirm = f"/admin/users/{victim.id}/deactivate"

    asked = await client.visit(confirm)
    assert (asked.status_code, asked.headers["location"].split("?")[0]) == (303, "/step-up")
    wrong = await client.submit("/step-up", {"password": "wrong horse battery staple", "next": confirm})
    assert wrong.status_code == 422
    assert not set_cookies(wrong)
    right = await client.submit("/step-up", {"password": person.password, "next": confirm})

    assert (right.status_code, right.headers["location"]) == (303, confirm)
    assert set(set_cookies(right)) == {ACCESS, REFRESH}
    assert (await client.visit(confirm)).status_code == 200
    assert await live_sessions() == 1


# v5.0.0-2.3.1
async def test_late_post_does_nothing_and_returns_to_its_page(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user(role="admin"))
    victim = await make_user()
    clock.forward(minutes=11)

    answer = await client.submit(f"/admin/users/{victim.id}/deactivate")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/step-up?next=%2Fadmin%2Fusers%2F{victim.id}%2Fdeactivate"
    row = await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == victim.id))
    assert row.is_active


async def test_refresh_is_no_step_up(client: Visitor, clock: Clock) -> None:
    """v5.0.0-7.5.1: the password's age travels with the session, not with the token."""
    await sign_in(client, await make_user(role="admin"))
    victim = await make_user()
    clock.forward(minutes=16)
    await client.visit("/auth/resume?next=/dashboard")

    answer = await client.visit(f"/admin/users/{victim.id}/deactivate")

    assert answer.headers["location"].startswith("/step-up")


# v5.0.0-6.3.2
async def test_demo_accounts_are_offered_in_development_to_this_machine_alone(client: Visitor, app: Any) -> None:
    page = await client.visit("/login")
    transport = httpx.ASGITransport(app=app, client=("192.168.7.7", 50000))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as neighbour:
        elsewhere = await neighbour.get("/login")

    assert "admin demo passphrase" in page.text
    assert elsewhere.status_code == 200
    assert "passphrase" not in elsewhere.text


# v5.0.0-6.2.10
async def test_password_of_many_years_signs_in_as_on_the_first_day(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    clock.forward(days=3650)

    await log_in(client, person.email)

    assert (await client.visit("/dashboard")).status_code == 200
