"""The pages of the second step, the guard that wants one of admins, and the API's two halves."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from app import db
from app.auth import cookies
from app.mfa import enrolment, pages, proofs, second_factor
from app.settings import get_settings
from tests.support import secrets
from tests.support.clock import Clock
from tests.support.people import PASSWORD, Person, make_user, sign_in, start_session
from tests.support.phone import Phone, is_on, with_a_phone
from tests.support.sent import bearer
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
HERE = "/account/second-factor"


def hidden(answer: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found
    return unescape(found[1])


async def half_signed_in(client: Visitor, person: Person, to: str = "") -> httpx.Response:
    fields = {"email": person.email, "password": PASSWORD, "next": to}
    return await client.submit("/login", fields)


async def test_sign_in_in_two_steps(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(seconds=30)

    first = await half_signed_in(client, person, "/account/sessions")

    assert first.status_code == 303
    assert first.headers["location"] == "/login/code?next=%2Faccount%2Fsessions"
    (set_cookie,) = first.headers.get_list("set-cookie")
    assert set_cookie.startswith(f"{cookies.ticket_name()}=")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=300"} <= set(set_cookie.split("; "))
    assert (await client.visit("/account")).headers["location"] == "/login?next=%2Faccount"

    page = await client.visit(first.headers["location"])
    assert page.status_code == 200
    assert hidden(page, "next") == "/account/sessions"
    assert 'autocomplete="one-time-code"' in page.text
    second = await client.submit("/login/code", {"code": phone.shows(clock.now), "next": hidden(page, "next")})

    assert second.status_code == 303
    assert second.headers["location"] == "/account/sessions"
    assert client.cookie(cookies.ticket_name()) is None
    assert (await client.visit("/account/sessions")).status_code == 200
    assert (await client.visit("/login/code")).headers["location"] == "/dashboard"


async def test_wrong_code_is_reported_at_its_field(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    await half_signed_in(client, person)

    answer = await client.submit("/login/code", {"code": phone.shows(clock.now), "next": "/account"})

    assert answer.status_code == 422
    assert proofs.WRONG in unescape(answer.text)
    assert hidden(answer, "next") == "/account"
    assert not answer.headers.get_list("set-cookie")


@pytest.mark.parametrize("code", ["", "x" * 101, "\x00", "%00", "' OR 1=1", "\u202e123456"])
async def test_hostile_code_is_a_wrong_one(client: Visitor, code: str, database: str) -> None:
    person = await make_user()
    await with_a_phone(person)
    await half_signed_in(client, person)

    assert (await client.submit("/login/code", {"code": code})).status_code == 422


async def test_without_the_first_half_there_is_no_second(client: Visitor, database: str) -> None:
    """v5.0.0-2.3.1"""
    page = await client.visit("/login/code?next=/account")
    answer = await client.submit("/login/code", {"code": "123456", "next": "/account"})

    for refused in (page, answer):
        assert refused.headers["location"] == "/login?next=%2Faccount&notice=sign_in_again"


async def test_browser_without_the_ticket_cookie_gets_the_notice_about_cookies(client: Visitor) -> None:
    person = await make_user()
    await with_a_phone(person)
    await half_signed_in(client, person)
    client.cookies.clear()

    page = await client.visit("/login/code?next=/account", site="same-origin")

    assert page.headers["location"] == "/login?next=%2Faccount&notice=cookies"


async def test_ticket_that_is_over_leads_to_the_beginning(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    await half_signed_in(client, person)
    clock.forward(minutes=5)

    answer = await client.submit("/login/code", {"code": phone.shows(clock.now), "next": "/account"})

    assert answer.headers["location"] == "/login?next=%2Faccount&notice=sign_in_again"
    assert client.cookie(cookies.ticket_name()) is None


async def test_too_many_codes_are_429_and_the_form_stays(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    await half_signed_in(client, person)
    for _ in range(5):
        await client.submit("/login/code", {"code": phone.shows(clock.now)})

    answer = await client.submit("/login/code", {"code": phone.recovery_codes[0], "next": "/account"})

    assert answer.status_code == 429
    assert answer.headers["retry-after"]
    assert hidden(answer, "next") == "/account"


async def test_ticket_alone_is_no_ambient_authority_for_another_site(client: Visitor, clock: Clock) -> None:
    """v5.0.0-3.5.1"""
    person = await make_user()
    phone = await with_a_phone(person)
    await half_signed_in(client, person)
    clock.forward(seconds=30)

    answer = await client.post("/login/code", data={"code": phone.shows(clock.now)})

    assert answer.status_code == 403


def secret_on(page: httpx.Response) -> str:
    found = re.search(r'<code class="secret">([A-Z2-7 ]{39})</code>', page.text)
    assert found
    return found[1].replace(" ", "")


async def test_turned_on_with_the_secret_of_the_page(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    page = await client.visit(HERE)
    phone = Phone(secret_on(page))
    form = {"offer": hidden(page, "offer"), "code": phone.shows(clock.now), "current_password": PASSWORD}
    assert "<svg" in page.text
    assert f"secret={phone.secret}" in page.text  # the address that opens an authenticator on this device
    assert secret_on(await client.visit(HERE)) != phone.secret  # nobody else who looks sees it

    wrong = [form | {"code": code} for code in ("", "1", "999999999")]
    for sent in (*wrong, form | {"current_password": ""}, form | {"current_password": "wrong passphrase"}):
        refused = await client.submit(HERE, sent)
        assert refused.status_code == 422
        assert refused.text.count("aria-invalid") == 1
        assert (secret_on(refused), hidden(refused, "offer")) == (
            phone.secret,
            form["offer"],
        )  # what was scanned is right
        assert f'value="{sent["code"]}"' in refused.text
        assert "passphrase" not in refused.text

    done = await client.submit(HERE, form)

    assert done.status_code == 200
    codes = re.findall(r"<li><code>([a-z2-7-]{27})</code></li>", done.text)
    secrets.keep(*codes)
    assert len(codes) == 10
    assert done.headers["cache-control"] == "no-store"
    shown_again = (await client.visit(HERE)).text
    assert "You have 10 of 10 recovery codes left" in shown_again
    assert not any(code in shown_again for code in codes)
    assert "On: signing in needs a code" in (await client.visit("/account")).text

    again = await client.submit(HERE, form)
    assert again.headers["location"] == HERE  # the page of the codes was loaded anew


async def test_secret_of_another_page_is_scanned_anew(client: Visitor, clock: Clock) -> None:
    """One that we did not offer to this very session turns nothing on, whatever the code."""
    person = await make_user()
    await sign_in(client, person)
    theirs = enrolment.offer(db.uuid7())
    phone = Phone(theirs.secret)

    for encrypted in (theirs.encrypted, "", phone.secret):
        form = {"offer": encrypted, "code": phone.shows(clock.now), "current_password": PASSWORD}
        refused = await client.submit(HERE, form)
        assert refused.status_code == 422
        assert pages.OVER in unescape(refused.text)
        assert secret_on(refused) != phone.secret
    assert not await is_on(person)


async def test_new_recovery_codes_and_turning_off_ask_for_password_and_code(client: Visitor, clock: Clock) -> None:
    """v5.0.0-6.5.6"""
    person = await make_user()
    phone = await with_a_phone(person)
    await sign_in(client, person)
    good = phone.recovery_codes[0]
    for path in (f"{HERE}/recovery-codes", f"{HERE}/off"):
        for code, password in (("", PASSWORD), ("999", PASSWORD), (good, ""), (good, "wrong passphrase")):
            refused = await client.submit(path, {"code": code, "current_password": password})
            assert refused.status_code == 422
            assert refused.text.count("aria-invalid") == 1
            assert f'value="{code}"' in refused.text
            assert "passphrase" not in refused.text
    assert await is_on(person)

    made = await client.submit(f"{HERE}/recovery-codes", {"code": good, "current_password": PASSWORD})
    codes = re.findall(r"<li><code>([a-z2-7-]{27})</code></li>", made.text)
    secrets.keep(*codes)
    assert len(set(codes) - set(phone.recovery_codes)) == 10
    saved = await client.submit(f"{HERE}/recovery-codes/saved", {"shown": hidden(made, "shown")})
    assert saved.headers["location"] == f"{HERE}?notice=recovery_codes_saved"
    off = await client.submit(f"{HERE}/off", {"code": codes[0], "current_password": PASSWORD})

    assert off.headers["location"] == f"{HERE}?notice=second_factor_off"
    assert not await is_on(person)


async def test_page_of_codes_that_are_not_shown_any_more_saves_nothing(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    await with_a_phone(person)
    await sign_in(client, person)

    answer = await client.submit(f"{HERE}/recovery-codes/saved", {"shown": "x"})

    assert answer.status_code == 422
    assert pages.REPLACED in unescape(answer.text)


async def test_code_as_it_is_pasted_signs_a_program_in(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(seconds=30)
    half = await client.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})
    wide = "".join(chr(ord(each) + 0xFEE0) for each in phone.shows(clock.now))

    answer = await client.post("/api/auth/login/code", json={"ticket": half.json()["ticket"], "code": f"1. {wide}"})

    assert answer.status_code == 200


async def test_wrong_codes_of_the_signed_in_are_counted_too(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    await sign_in(client, person)
    for _ in range(5):
        await client.submit(f"{HERE}/off", {"code": "000000", "current_password": PASSWORD})

    for path in (f"{HERE}/recovery-codes", f"{HERE}/off"):
        answer = await client.submit(path, {"code": phone.recovery_codes[0], "current_password": PASSWORD})
        assert answer.status_code == 429
        assert f'value="{phone.recovery_codes[0]}"' in answer.text
    assert await is_on(person)


# v5.0.0-7.5.1
@pytest.mark.parametrize(
    "path", [HERE, f"{HERE}/recovery-codes", f"{HERE}/off", "/account/passkeys", "/account/passkeys/x/remove"]
)
async def test_old_password_entry_requires_step_up(client: Visitor, clock: Clock, path: str) -> None:
    """On the page as well as by the form: one that comes late does nothing."""
    person = await make_user()
    phone = await with_a_phone(person)
    await sign_in(client, person)
    clock.forward(minutes=11)

    answers = [await client.submit(path, {"code": phone.recovery_codes[0], "credential": "x", "name": "x"})]
    if path in (HERE, "/account/passkeys", "/account/passkeys/x/remove"):
        answers.append(await client.visit(path))

    assert {answer.headers["location"].partition("?")[0] for answer in answers} == {"/step-up"}
    assert await is_on(person)
    assert await second_factor.recovery_codes_left(person.id) == 10


# v5.0.0-6.3.3, v5.0.0-8.4.2
async def test_site_may_want_a_second_step_of_its_admins(
    client: Visitor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, user = await make_user(role="admin"), await make_user()
    monkeypatch.setattr(get_settings(), "admins_need_second_factor", True)
    pair = await sign_in(client, admin)

    for path in ("/admin", "/admin/users", f"/admin/users/{user.id}/edit"):
        answer = await client.visit(path)
        assert answer.headers["location"] == f"{HERE}?notice=second_factor_required"
    told = await client.get("/api/admin/users", headers=bearer(pair))
    assert (told.status_code, told.json()["error"]) == (403, "second_factor_required")
    assert (await client.visit("/account")).status_code == 200
    assert "Administrators of this site" in (await client.visit(f"{HERE}?notice=second_factor_required")).text

    phone = await with_a_phone(admin)
    assert phone.pair
    client.put_cookie(cookies.access_name(), phone.pair.access_token)
    assert (await client.visit("/admin")).status_code == 200

    off = {"code": phone.recovery_codes[0], "current_password": PASSWORD}
    assert (await client.submit(f"{HERE}/off", off)).status_code == 303
    assert (await client.visit("/admin")).status_code == 303


async def test_who_is_no_admin_is_refused_as_ever(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "admins_need_second_factor", True)
    await sign_in(client, await make_user())

    assert (await client.visit("/admin")).status_code == 403


async def test_admin_turns_it_off_for_a_user(client: Visitor, database: str) -> None:
    """v5.0.0-6.4.4"""
    person = await make_user()
    await with_a_phone(person)
    await sign_in(client, await make_user(role="admin"))
    there = f"/admin/users/{person.id}"
    assert "Turn off two-factor authentication" in (await client.visit(there)).text
    assert "never because of an e-mail" in (await client.visit(f"{there}/remove-second-factor")).text

    answer = await client.submit(f"{there}/remove-second-factor", {"current_password": PASSWORD})

    assert answer.headers["location"] == f"{there}?notice=second_factor_removed"
    assert not await is_on(person)
    assert "Turn off two-factor authentication" not in (await client.visit(there)).text


async def login(client: Visitor, person: Person) -> Any:
    return await client.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})


async def test_program_signs_in_in_two_halves(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    clock.forward(seconds=30)

    first = await login(client, person)

    assert first.status_code == 401
    assert first.json()["error"] == "second_factor_required"
    assert first.headers["www-authenticate"] == "Bearer"
    code = {"ticket": first.json()["ticket"], "code": phone.shows(clock.now)}
    second = await client.post("/api/auth/login/code", json=code)
    assert second.status_code == 200
    secrets.keep(second.json()["access_token"], second.json()["refresh_token"])
    me = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {second.json()['access_token']}"})
    assert me.json()["email"] == person.email
    again = await client.post("/api/auth/login/code", json=code)
    assert (again.status_code, again.json()["detail"]) == (401, "Sign in again.")
    assert not client.cookies


async def test_program_with_an_old_ticket_begins_again(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    phone = await with_a_phone(person)
    ticket = (await login(client, person)).json()["ticket"]
    clock.forward(minutes=6)

    for each in (ticket, "x", "."):
        answer = await client.post("/api/auth/login/code", json={"ticket": each, "code": phone.shows(clock.now)})
        assert (answer.status_code, answer.json()["error"]) == (401, "ticket_expired")


@pytest.mark.parametrize(
    "body", [{}, {"ticket": "x"}, {"ticket": "x", "code": 123456}, {"ticket": "x", "code": "1", "role": "admin"}]
)
async def test_odd_bodies_are_422(client: Visitor, body: Any, database: str) -> None:
    assert (await client.post("/api/auth/login/code", json=body)).status_code == 422


async def test_ticket_is_no_token(client: Visitor, database: str) -> None:
    """v5.0.0-9.2.2"""
    person = await make_user()
    await with_a_phone(person)
    ticket = (await login(client, person)).json()["ticket"]

    answer = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {ticket}"})
    client.put_cookie(cookies.access_name(), ticket)

    assert answer.status_code == 401
    assert (await client.visit("/account")).status_code == 303
    access = (await start_session(person)).access_token
    swapped = await client.call("POST", "/api/auth/login/code", json={"ticket": access[:200], "code": "123456"})
    assert swapped.status_code == 401
