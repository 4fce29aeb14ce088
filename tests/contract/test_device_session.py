"""Device-bound sessions through the front door: what a browser with DBSC, one without and an attacker get."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import cookies
from app.auth.rate_limit import limits, quotas
from app.settings import get_settings
from tests.support.bound import BoundDevice, offered, wanted
from tests.support.clock import Clock
from tests.support.environment import ORIGIN
from tests.support.people import PASSWORD, Person, make_user, sign_in, start_session
from tests.support.sent import bearer
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

REGISTER, RENEW = "/auth/device-session", "/auth/device-session/refresh"
ASKED_BY_THE_BROWSER = {"Accept": "*/*", "Sec-Secure-Session-Id": "session"}  # as Chromium 150 does: no Origin


async def of_the_browser(client: Visitor, path: str, proof: str = "", **headers: str) -> httpx.Response:
    sent = {"Secure-Session-Response": proof} if proof else {}
    return await client.post(path, headers={**ASKED_BY_THE_BROWSER, **sent, **headers})


async def signed_in(client: Visitor, person: Person) -> str:
    """Sign in with the form; the challenge that the answer offers."""
    fields = {"email": person.email, "password": PASSWORD, "next": "/account"}
    return offered(await client.submit("/login", fields))


async def bound(client: Visitor, person: Person) -> tuple[BoundDevice, str]:
    """Sign in and bind the session; the device, and the challenge that was sent ahead."""
    device = BoundDevice()
    answer = await of_the_browser(client, REGISTER, device.registration(await signed_in(client, person)))
    assert answer.status_code == 200
    return device, wanted(answer)


async def recorded(event: str) -> list[Any]:
    return await db.fetch_all(sa.select(event_rows).where(event_rows.c.event == event))


async def test_sign_in_offers_and_the_browser_binds_and_renews_in_one_round_trip(client: Visitor, clock: Clock) -> None:
    device, challenge = await bound(client, await make_user())

    for _ in range(3):
        before = client.cookie(cookies.access_name())
        clock.forward(minutes=13)
        answer = await of_the_browser(client, RENEW, device.proof(challenge))
        assert answer.status_code == 200
        assert client.cookie(cookies.access_name()) != before
        challenge = wanted(answer)

    assert (await client.visit("/account")).status_code == 200


async def test_instructions_name_the_access_cookie_as_it_is_set(client: Visitor) -> None:
    """Other attributes than those of Set-Cookie, and the browser would renew at every request."""
    device = BoundDevice()
    fields = {"email": (await make_user()).email, "password": PASSWORD}
    login = await client.submit("/login", fields)

    instructions = (await of_the_browser(client, REGISTER, device.registration(offered(login)))).json()

    [credential] = instructions["credentials"]
    [line] = [line for line in login.headers.get_list("set-cookie") if line.startswith(cookies.access_name())]
    attributes = {part.strip().lower() for part in line.split(";")[1:]} - {f"max-age={15 * 60}"}
    assert credential["name"] == cookies.access_name()
    assert {part.strip().lower() for part in credential["attributes"].split(";")} == attributes
    assert instructions["refresh_url"] == RENEW
    assert instructions["scope"]["include_site"] is False


async def test_browser_that_slept_is_given_a_challenge_for_what_it_holds(client: Visitor, clock: Clock) -> None:
    device, ahead = await bound(client, await make_user())
    clock.forward(hours=8)

    asked = [await of_the_browser(client, RENEW), await of_the_browser(client, RENEW, device.proof(ahead))]

    assert [answer.status_code for answer in asked] == [403, 403]
    assert not any("set-cookie" in answer.headers for answer in asked)
    assert (await of_the_browser(client, RENEW, device.proof(wanted(asked[1])))).status_code == 200


# v5.0.0-7.4.1: every other way to exchange a refresh token asks for the device as well
async def test_refresh_cookie_of_a_bound_session_opens_nothing(client: Visitor, app: Any, clock: Clock) -> None:
    await bound(client, await make_user())
    refresh = str(client.cookie(cookies.refresh_name()))
    client.drop_cookie(cookies.access_name())
    clock.forward(minutes=16)

    page = await client.visit("/auth/resume?next=/account")
    form = await client.submit("/auth/resume?next=/account", {"name": "x"})
    cookie = await client.call("POST", "/api/auth/refresh")
    async with Visitor(app) as program:
        body = await program.post("/api/auth/refresh", json={"refresh_token": refresh})

    assert page.headers["location"] == "/login?next=%2Faccount&notice=device_unproven"
    assert form.headers["location"].startswith("/login?")
    assert [answer.status_code for answer in (page, form, cookie, body)] == [303, 303, 401, 401]
    assert cookie.json()["error"] == body.json()["error"] == "invalid_grant"
    for answer in (page, form, cookie, body):
        assert not any(cookies.access_name() in line for line in answer.headers.get_list("set-cookie"))
    assert len(await recorded(events.SESSION_PROOF_MISSING)) == 1, "once a minute"
    assert client.cookie(cookies.refresh_name()) == refresh, "a failed renewal deletes no cookie"


@pytest.mark.parametrize("why", ["server_error", "unreachable", "quota_exceeded", "x" * 500])
async def test_browser_that_could_not_renew_is_not_signed_out_and_gets_nothing(
    client: Visitor, clock: Clock, why: str
) -> None:
    device, _ = await bound(client, await make_user())
    client.drop_cookie(cookies.access_name())
    clock.forward(minutes=16)
    headers = {"Secure-Session-Skipped": f'{why};session_identifier="session"'}

    answers = [
        await client.visit("/auth/resume?next=/account", headers=headers),
        await client.submit("/auth/resume?next=/account", {"name": "x"}, headers=headers),
        await client.call("POST", "/api/auth/refresh", headers=headers),
    ]

    assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {(503, "5")}
    assert not any("set-cookie" in answer.headers for answer in answers)
    [row] = await recorded(events.SESSION_PROOF_MISSING)
    assert row.detail == (why if len(why) < 20 else "")
    again = wanted(await of_the_browser(client, RENEW))
    assert (await of_the_browser(client, RENEW, device.proof(again))).status_code == 200


async def test_copied_cookies_leave_the_session_of_their_owner_alone(client: Visitor, app: Any, clock: Clock) -> None:
    device, challenge = await bound(client, await make_user())
    async with Visitor(app) as attacker:
        for name in (cookies.access_name(), cookies.refresh_name()):
            attacker.put_cookie(name, str(client.cookie(name)))
        assert (await attacker.visit("/account")).status_code == 200, "for as long as the access token lives"
        for _ in range(3):
            clock.forward(minutes=13)
            challenge = wanted(await of_the_browser(client, RENEW, device.proof(challenge)))

        assert (await attacker.visit("/account")).status_code == 303
        attacker.drop_cookie(cookies.access_name())
        assert (await attacker.visit("/auth/resume?next=/account")).headers["location"].startswith("/login?")
        stolen = await of_the_browser(attacker, RENEW)
        assert (await of_the_browser(attacker, RENEW, BoundDevice().proof(wanted(stolen)))).status_code == 403

    assert challenge
    assert (await client.visit("/account")).status_code == 200
    assert not await recorded(events.SESSION_REUSED)


async def test_attacker_of_an_unbound_session_cannot_bind_it(client: Visitor, clock: Clock) -> None:
    """The challenge was in the answer to the sign-in, which no cookie jar keeps."""
    await sign_in(client, await make_user())

    answer = await of_the_browser(client, REGISTER, BoundDevice().registration("x"))

    assert answer.status_code == 401
    assert "secure-session-challenge" not in answer.headers


async def test_session_without_binding_is_renewed_here_as_well(client: Visitor, clock: Clock) -> None:
    """A browser keeps asking here after a sign-in that it could not bind; the session must not end for it."""
    await sign_in(client, await make_user())
    clock.forward(minutes=16)

    answer = await of_the_browser(client, RENEW)

    assert answer.status_code == 200
    assert wanted(answer) == ""
    assert (await client.visit("/account")).status_code == 200


@pytest.mark.parametrize("path", [REGISTER, RENEW])
async def test_nobody_is_signed_in(client: Visitor, path: str) -> None:
    assert (await of_the_browser(client, path, BoundDevice().registration("x"))).status_code == 401


async def test_ended_session_is_401_so_that_the_browser_drops_it(client: Visitor) -> None:
    device, challenge = await bound(client, await make_user())
    access, refresh = client.cookie(cookies.access_name()), client.cookie(cookies.refresh_name())
    await client.submit("/logout")
    client.put_cookie(cookies.access_name(), str(access))
    client.put_cookie(cookies.refresh_name(), str(refresh))

    assert (await of_the_browser(client, RENEW, device.proof(challenge))).status_code == 401


async def test_limit_is_503_which_keeps_the_session(client: Visitor, clock: Clock) -> None:
    """Chromium ends a bound session for good at 429."""
    device, challenge = await bound(client, await make_user())
    before = [
        (await of_the_browser(client, RENEW)).status_code for _ in range(limits.limit(limits.TOKEN)[0] + quotas.BATCH)
    ]

    answer = await of_the_browser(client, RENEW, device.proof(challenge))

    assert set(before) == {403, 503}
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    clock.forward(minutes=1)
    assert (await of_the_browser(client, RENEW, device.proof(challenge))).status_code == 200


async def test_token_that_was_just_renewed_is_503_so_that_the_browser_asks_again(client: Visitor, clock: Clock) -> None:
    """401 would end the bound session for good, although a newer cookie is on its way."""
    device, challenge = await bound(client, await make_user())
    old = str(client.cookie(cookies.refresh_name()))
    assert (await of_the_browser(client, RENEW, device.proof(challenge))).status_code == 200
    assert (await client.visit("/account")).status_code == 200
    clock.forward(seconds=60)
    client.put_cookie(cookies.refresh_name(), old)

    answer = await of_the_browser(client, RENEW, device.proof(challenge))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "set-cookie" not in answer.headers


async def test_database_that_is_down_is_503(client: Visitor, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    device, challenge = await bound(client, await make_user())

    async def down(*_: Any, **__: Any) -> None:
        raise db.Unavailable("08006")

    monkeypatch.setattr("app.auth.sessions.rotation.db.fetch_one", down)

    assert (await of_the_browser(client, RENEW, device.proof(challenge))).status_code == 503


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}, 403),  # a page of ours: nothing speaks against it
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Sec-Secure-Session-Id": ""}, 403),
    ],
)
async def test_page_of_another_site_renews_nothing(client: Visitor, headers: dict[str, str], status: int) -> None:
    await bound(client, await make_user())

    answer = await of_the_browser(client, RENEW, **headers)

    assert answer.status_code == status
    reached = "secure-session-challenge" in answer.headers
    assert reached == (headers.get("Sec-Fetch-Site") == "same-origin")


async def test_program_with_a_bearer_token_binds_nothing(client: Visitor) -> None:
    pair = await start_session(await make_user())

    answer = await client.post(
        REGISTER,
        headers={**bearer(pair), "Secure-Session-Response": BoundDevice().registration(pair.registration)},
    )

    assert answer.status_code == 401


@pytest.mark.parametrize("act", ["step_up", "password"])
async def test_session_that_takes_the_place_of_another_is_offered_anew(client: Visitor, act: str) -> None:
    await bound(client, await make_user())
    new = "another horse battery staple"
    path, fields = {
        "step_up": ("/step-up", {"password": PASSWORD, "next": "/account"}),
        "password": ("/account/password", {"current_password": PASSWORD, "new_password": new, "repeated": new}),
    }[act]

    answer = await client.submit(path, fields)

    assert answer.status_code == 303, answer.text
    challenge = offered(answer)
    assert (await of_the_browser(client, REGISTER, BoundDevice().registration(challenge))).status_code == 200


async def test_list_of_sessions_says_which_are_bound(client: Visitor) -> None:
    person = await make_user()
    await bound(client, person)
    await start_session(person)

    page = (await client.visit("/account/sessions")).text

    assert page.count("Bound to its device") == 1


async def test_site_may_want_bound_sessions_of_its_admins(
    client: Visitor, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    admin = await make_user(role="admin")
    pair = await sign_in(client, admin)
    monkeypatch.setattr(get_settings(), "device_bound", "admins")

    page, api = await client.visit("/admin"), await client.get("/api/admin/users", headers=bearer(pair))
    assert (page.status_code, api.status_code) == (403, 403)
    assert "bound to their device" in page.text
    assert api.json()["error"] == "device_binding_required"
    assert page.headers["refresh"] == "2", "the browser may be binding it at this moment"
    clock.forward(minutes=1)
    assert "refresh" not in (await client.visit("/admin")).headers

    await bound(client, admin)
    assert (await client.visit("/admin")).status_code == 200


async def test_who_is_no_admin_needs_no_bound_session(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "device_bound", "admins")
    await sign_in(client, await make_user())

    assert (await client.visit("/account")).status_code == 200
