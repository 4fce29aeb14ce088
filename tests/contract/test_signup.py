"""/register, /verify-email, /forgot-password and /reset-password as the contract fixes them, over HTTP."""

import re
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.auth import email_links, passwords
from app.auth.accounts import login_flow, password_reset, signup
from app.auth.models import link_rows, session_rows, user_rows
from app.email.models import email_rows
from app.settings import get_settings
from app.web import client as clients
from tests.contract.places import wait_of
from tests.support.clock import Clock
from tests.support.mailbox import emails_to, link_in
from tests.support.pages import without_keys
from tests.support.people import PASSWORD, make_user, sign_in, start_session
from tests.support.sent import cookies_set
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

EMAIL, ATTACKERS, NEW = "joan@example.com", "an attacker's own passphrase", "a brand new passphrase"
FIELDS = {"name": "Joan Example", "email": EMAIL, "password": PASSWORD}
GONE = "This link is not valid"


async def link_to(address: str = EMAIL) -> str:
    """The path in the newest e-mail to the address."""
    return link_in((await emails_to(address))[-1])


async def token_to(address: str = EMAIL) -> str:
    return (await link_to(address)).partition("?token=")[2]


async def users() -> list[Any]:
    return await db.fetch_all(sa.select(user_rows))


def seen(answer: httpx.Response, *personal: str) -> tuple[Any, ...]:
    """What somebody could compare: all but this request's own id, nonce and keys, and what was typed."""
    own = {"x-request-id", "content-security-policy"} | ({"content-length"} if personal else set())
    fixed = {k: v for k, v in answer.headers.items() if k not in own}
    text = re.sub(r'nonce="[^"]+"', "", without_keys(answer.text)).replace(answer.headers["x-request-id"], "")
    for each in personal:
        text = text.replace(each, "")
    return answer.status_code, fixed, text


async def test_registration_is_confirmed_by_the_button_behind_the_link_and_then_one_signs_in(client: Visitor) -> None:
    asked = await client.submit("/register", FIELDS)
    assert (asked.status_code, asked.headers["location"]) == (303, "/register/sent")
    assert "Check your e-mail" in (await client.visit("/register/sent")).text

    page = await client.visit(await link_to(), site="cross-site")
    assert page.status_code == 200
    assert EMAIL in page.text
    assert await users() == []

    done = await client.submit("/verify-email", {"token": await token_to()})
    assert (done.status_code, done.headers["location"]) == (303, "/login?notice=confirmed")
    assert cookies_set(done) == []
    assert await db.fetch_all(sa.select(session_rows)) == []
    assert (await client.submit("/login", {"email": EMAIL, "password": PASSWORD})).status_code == 303


async def test_free_and_taken_address_get_the_same_answer(client: Visitor) -> None:
    """v5.0.0-6.3.8"""
    await make_user(email="taken@example.com")
    taken, free = [
        seen(await client.submit("/register", FIELDS | {"email": email}), email)
        for email in ("taken@example.com", "free@example.com")
    ]

    assert taken == free
    assert len(await db.fetch_all(sa.select(email_rows))) == 2


# v5.0.0-6.3.8
@pytest.mark.parametrize("path", ["/forgot-password", "/verify-email/resend"])
async def test_known_unknown_waiting_and_closed_address_get_the_same_answer(client: Visitor, path: str) -> None:
    person, closed = await make_user(), await make_user(active=False)
    await signup.request(EMAIL, "Joan", PASSWORD)
    answers = []
    for email in (person.email, closed.email, EMAIL, "nobody@example.com"):
        answer = await client.submit(path, {"email": email})
        assert answer.status_code == 303
        assert email not in answer.headers["location"]
        answers.append(seen(answer, email))

    assert all(answer == answers[0] for answer in answers)


# v5.0.0-2.3.1, v5.0.0-6.3.8
async def test_unconfirmed_account_signs_nobody_in_and_looks_like_a_wrong_password(client: Visitor) -> None:
    """AC-003, AC-144"""
    await client.submit("/register", FIELDS)

    waiting = await client.submit("/login", {"email": EMAIL, "password": PASSWORD})
    nobody = await client.submit("/login", {"email": "nobody@example.com", "password": PASSWORD})

    assert seen(waiting, EMAIL) == seen(nobody, "nobody@example.com")
    assert waiting.status_code == 422
    assert 'href="/verify-email/resend"' in waiting.text
    assert (await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})).status_code == 401


JOIN, AGAIN, FORGOT, ENTER = "/register", "/verify-email/resend", "/forgot-password", "/login"


@pytest.mark.parametrize(
    ("path", "ways"),
    [
        ("/", {JOIN}),
        ("/login", {JOIN, AGAIN, FORGOT}),
        ("/login?notice=confirmed", {JOIN, AGAIN, FORGOT}),
        ("/verify-email?token=old", {JOIN, AGAIN, FORGOT, ENTER}),
        ("/verify-email/sent", {JOIN, FORGOT, ENTER}),
        ("/reset-password?token=old", {FORGOT, ENTER}),
        ("/undo-email-change?token=old", {FORGOT, ENTER}),
    ],
)
async def test_who_comes_with_a_used_or_old_link_is_offered_the_way_on(
    client: Visitor, path: str, ways: set[str]
) -> None:
    page = await client.visit(path)

    offered = set(re.findall(r'href="([^"]+)"', page.text.partition('id="main"')[2]))
    assert ways <= offered


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "Please fill this in."),
        ("name", "\u202eJoan", "characters that cannot be shown"),
        ("name", "J" * 81, "Use at most 80 characters."),
        ("name", "J" + "\u0301" * 500, "Use at most 80 characters."),
        ("name", "J" + "\u0301" * 40, "too many marks"),
        ("email", "", "Enter an address such as"),
        ("email", "joan@localhost", "Enter an address such as"),
        ("email", "joan@[127.0.0.1]", "Enter an address such as"),
        ("email", "joan@example.com\r\nBcc: eve@example.com", "Enter an address such as"),
        ("email", "j" * 250 + "@example.com", "Use at most 254 characters."),
        ("password", "", "Please fill this in."),
        ("password", "too short", "Use at least 15 characters."),
        ("password", "p" * 129, "Use at most 128 characters."),
        ("password", "passwordpassword", "lists of stolen passwords"),
        ("password", "joan example2026", "mostly your name"),
        ("password", "joan@example.com", "mostly your name"),
        ("password", passwords.APP_WORDS[0] * 5, "the name of this site"),
    ],
)
async def test_what_does_not_fit_is_said_beside_its_field_and_nothing_is_kept(
    client: Visitor, field: str, value: str, message: str
) -> None:
    """AC-023, AC-024, AC-026, AC-029, v5.0.0-6.2.1, v5.0.0-6.2.4, v5.0.0-6.2.11, v5.0.0-6.2.12"""
    answer = await client.submit("/register", FIELDS | {field: value})

    assert answer.status_code == 422
    assert message in answer.text.split(f'id="{field}-error"')[1].split("</p>")[0].replace("&#39;", "'")
    for kept in {"name", "email"} - {field}:
        assert f'value="{FIELDS[kept]}"' in answer.text
    assert PASSWORD not in answer.text
    assert await db.fetch_all(sa.select(email_rows)) == []
    assert await db.fetch_all(sa.select(link_rows)) == []


async def test_every_fault_is_said_at_once(client: Visitor) -> None:
    answer = await client.submit("/register", {"name": "", "email": "joan", "password": "short"})

    assert [field for field in FIELDS if f'id="{field}-error"' in answer.text] == list(FIELDS)


# v5.0.0-15.3.3
async def test_further_fields_change_nothing(client: Visitor) -> None:
    """AC-018: nobody registers as an admin."""
    await client.submit("/register", FIELDS | {"role": "admin", "is_active": "true", "id": "1", "created_at": "0"})
    await client.submit("/verify-email", {"token": await token_to(), "role": "admin", "email": "eve@example.com"})

    (user,) = await users()
    assert (user.role, user.email) == ("user", EMAIL)


# v5.0.0-6.2.8
async def test_password_is_taken_as_it_was_typed(client: Visitor) -> None:
    """AC-032, AC-034, AC-035"""
    typed = "  pass phrase\u0000 he\u0301re "
    await client.submit("/register", FIELDS | {"password": typed})
    await client.submit("/verify-email", {"token": await token_to()})

    for other, status in (
        (typed.strip(), 422),
        (typed.replace("\u0000", ""), 422),
        (typed.replace("e\u0301", "\u00e9"), 303),
        (typed, 303),
    ):
        answer = await client.submit("/login", {"email": EMAIL, "password": other})
        assert answer.status_code == status, repr(other)


async def test_somebody_signed_in_does_not_register(client: Visitor) -> None:
    await sign_in(client, await make_user())

    for answer in (await client.visit("/register"), await client.submit("/register", FIELDS)):
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    assert await db.fetch_all(sa.select(link_rows)) == []


async def test_link_is_confirmed_also_where_somebody_else_is_signed_in(client: Visitor) -> None:
    """The page came without cookies, for the link was followed from elsewhere; its form comes with them."""
    await client.submit("/register", FIELDS)
    await client.visit(await link_to(), site="cross-site")
    await sign_in(client, await make_user())

    answer = await client.submit("/verify-email", {"token": await token_to()})

    assert answer.status_code == 303
    assert len(await users()) == 2


async def test_registration_of_an_address_with_another_asks_for_its_password(client: Visitor) -> None:
    """Pre-hijacking: the attacker's e-mail is in the same mailbox."""
    await client.submit("/register", FIELDS | {"password": ATTACKERS})
    theirs = await token_to()
    await client.submit("/register", FIELDS)
    ours = await token_to()

    page = await client.visit(f"/verify-email?token={theirs}")
    assert 'name="password"' in page.text
    for typed, message in (("", "Please fill this in."), (PASSWORD, "not the password of this sign-up")):
        refused = await client.submit("/verify-email", {"token": theirs, "password": typed})
        assert refused.status_code == 422
        assert message in refused.text
        assert f'value="{theirs}"' in refused.text
        assert PASSWORD not in refused.text
    assert await users() == []

    assert (await client.submit("/verify-email", {"token": ours, "password": PASSWORD})).status_code == 303
    assert GONE in (await client.submit("/verify-email", {"token": theirs, "password": ATTACKERS})).text
    assert (await client.submit("/login", {"email": EMAIL, "password": ATTACKERS})).status_code == 422


async def tokens_that_are_no_good(clock: Clock, person: Any) -> list[str]:
    """Over, voided, altered, of another purpose, never ours, none."""
    await signup.request(EMAIL, "Joan", PASSWORD)
    row = await signup.newest(EMAIL, db.utcnow())
    made = await password_reset.make_link(person.email, db.uuid7(), clients.Client())
    assert made
    over = [email_links.token(row), email_links.token(made[1])]
    clock.forward(days=2)
    used = await used_links(person)
    again = [await password_reset.make_link(person.email, db.uuid7(), clients.Client()) for _ in range(2)]
    voided, last = [email_links.token(made[1]) for made in again if made]
    await password_reset.reset(last, NEW + "!")
    altered = [raw[:-1] + ("A" if raw[-1] != "A" else "B") for raw in used.values()]
    return [*over, voided, *altered, "null", "x", ""]


async def used_links(person: Any) -> dict[str, str]:
    """Each at its page."""
    await signup.request("other@example.com", "Joan", PASSWORD)
    confirm = email_links.token(await signup.newest("other@example.com", db.utcnow()))
    await signup.confirm(confirm)
    made = await password_reset.make_link(person.email, db.uuid7(), clients.Client())
    assert made
    reset = email_links.token(made[1])
    await password_reset.reset(reset, NEW)
    return {"/verify-email": confirm, "/reset-password": reset}


@pytest.mark.parametrize("path", ["/verify-email", "/reset-password"])
async def test_link_that_did_its_work_says_so(client: Visitor, path: str) -> None:
    """AC-036, AC-039. A second visit does not say that the link is invalid."""
    raw = (await used_links(await make_user()))[path]
    before = await users()

    for answer in (
        await client.visit(f"{path}?token={raw}"),
        await client.submit(path, {"token": raw, "password": NEW}),
    ):
        assert answer.status_code == 200
        assert "This link was already used" in answer.text
        assert 'href="/login"' in answer.text
        assert raw not in answer.text
    assert await users() == before
    told = await client.post(path, data={"token": raw, "password": NEW}, headers={"Accept": "application/json"})
    assert (told.status_code, told.json()["detail"]) == (422, "This link was already used.")


async def test_link_that_did_its_work_keeps_nothing_of_the_registration(client: Visitor) -> None:
    """Who had it by then and forgot about it finds the account, and nobody finds the name or the password here."""
    raw = (await used_links(await make_user()))["/verify-email"]

    row = await db.fetch_one(sa.select(link_rows).where(link_rows.c.id == UUID(raw.partition(".")[0])))

    assert (row.email, row.email_key, row.name, row.password) == ("", "", "", "")


@pytest.mark.parametrize("path", ["/verify-email", "/reset-password"])
async def test_expired_voided_altered_and_missing_links_look_alike(client: Visitor, clock: Clock, path: str) -> None:
    """AC-036, AC-039, AC-050"""
    bad = await tokens_that_are_no_good(clock, await make_user())
    before = await users()

    pages = [seen(await client.visit(f"{path}?token={raw}")) for raw in bad] + [seen(await client.visit(path))]
    posts = [seen(await client.submit(path, {"token": raw, "password": NEW})) for raw in bad]
    posts.append(seen(await client.submit(path, {"password": NEW})))

    assert all(page == pages[0] for page in pages)
    assert all(post == posts[0] for post in posts)
    assert (pages[0][0], posts[0][0]) == (422, 422)
    assert GONE in pages[0][2]
    assert GONE in posts[0][2]
    assert await users() == before


async def test_tokens_of_other_kinds_open_nothing(client: Visitor) -> None:
    """AC-132: a session's tokens, and a mailed link in the place of one."""
    pair = await start_session(await make_user())
    await client.submit("/register", FIELDS)
    raw = await token_to()

    for token in (pair.access_token, pair.refresh_token):
        assert (await client.submit("/verify-email", {"token": token})).status_code == 422
        assert (await client.submit("/reset-password", {"token": token, "password": NEW})).status_code == 422
    assert (await client.submit("/reset-password", {"token": raw, "password": NEW})).status_code == 422
    assert (await client.get("/api/auth/me", headers={"Authorization": f"Bearer {raw}"})).status_code == 401


async def test_program_gets_a_problem_document_for_a_bad_link(client: Visitor) -> None:
    for path in ("/verify-email", "/reset-password"):
        answer = await client.post(path, data={"token": "x", "password": NEW}, headers={"Accept": "application/json"})

        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


# v5.0.0-14.2.3, v5.0.0-3.4.5
async def test_page_of_a_link_tells_nobody_where_it_was(client: Visitor) -> None:
    """AC-045. `no-referrer` would make its form send `Origin: null`, which is refused here."""
    person = await make_user()
    await client.submit("/register", FIELDS)
    await client.submit("/forgot-password", {"email": person.email})

    for path in (await link_to(), await link_to(person.email)):
        page = await client.visit(path)

        assert page.status_code == 200
        assert page.headers["referrer-policy"] == "strict-origin"
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r'(href|action|src)="[^"]*token', page.text)


async def test_forgotten_password_is_replaced_and_nobody_is_signed_in(client: Visitor) -> None:
    person = await make_user()
    await sign_in(client, person)
    asked = await client.submit("/forgot-password", {"email": person.email})
    assert (asked.status_code, asked.headers["location"]) == (303, "/forgot-password/sent")
    raw = await token_to(person.email)

    page = await client.visit(f"/reset-password?token={raw}", site="cross-site")
    assert 'autocomplete="new-password"' in page.text
    done = await client.submit("/reset-password", {"token": raw, "password": NEW})

    assert (done.status_code, done.headers["location"]) == (303, "/login?notice=password_reset")
    assert cookies_set(done) == ["__Host-device"]  # which signs nobody in
    for method, path in (("GET", "/api/auth/me"), ("POST", "/api/auth/refresh")):
        assert (await client.call(method, path)).status_code == 401
    assert (await client.submit("/login", {"email": person.email, "password": PASSWORD})).status_code == 422
    assert (await client.submit("/login", {"email": person.email, "password": NEW})).status_code == 303


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "Please fill this in."),
        ("too short", "Use at least 15 characters."),
        ("passwordpassword", "lists of stolen passwords"),
        ("robin example 26", "mostly your name"),
    ],
)
async def test_refused_password_uses_the_link_up_for_nobody(client: Visitor, password: str, message: str) -> None:
    """v5.0.0-6.2.4: the same rules at this door."""
    person = await make_user(name="Robin Example")
    await client.submit("/forgot-password", {"email": person.email})
    raw = await token_to(person.email)

    refused = await client.submit("/reset-password", {"token": raw, "password": password})

    assert refused.status_code == 422
    assert message in refused.text
    assert f'name="token" value="{raw}"' in refused.text
    assert not password or password not in refused.text
    assert (await client.submit("/reset-password", {"token": raw, "password": NEW})).status_code == 303


async def test_invited_person_chooses_a_first_password(client: Visitor) -> None:
    person = await make_user(password="nobody knows this one")
    encoded = await db.fetch_value(sa.select(user_rows.c.password).where(user_rows.c.id == person.id))
    async with db.transaction() as tx:
        values = {"user_id": person.id, "fingerprint": passwords.fingerprint(encoded)}
        raw = email_links.token(await email_links.make(tx, email_links.INVITE, db.utcnow(), **values))

    page = await client.visit(f"/reset-password?token={raw}")
    assert "<h1>Choose a password</h1>" in page.text
    await client.submit("/reset-password", {"token": raw, "password": NEW})

    assert await login_flow.login(person.email, NEW)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/register", FIELDS),
        ("/forgot-password", {"email": EMAIL}),
        ("/verify-email/resend", {"email": EMAIL}),
    ],
)
async def test_twenty_first_email_from_one_network_has_to_wait(
    at: Any, clock: Clock, path: str, fields: dict[str, str]
) -> None:
    """AC-042: 429, the same for every address; other places are not touched."""
    known, place = await make_user(), at("203.0.113.7")
    for number in range(20):
        assert (await place.submit("/forgot-password", {"email": f"p{number}@example.com"})).status_code == 303

    answers = [await place.submit(path, fields | {"email": email}) for email in (known.email, EMAIL)]

    assert [wait_of(answer) for answer in answers] == [3600, 3600]
    assert seen(answers[0], known.email) == seen(answers[1], EMAIL)
    assert "Please try again in 60 minutes." in answers[0].text
    assert f'value="{EMAIL}"' in answers[1].text
    assert PASSWORD not in answers[1].text
    program = await place.post(path, data=fields, headers={"Accept": "application/json"})
    assert (wait_of(program), program.headers["content-type"]) == (3600, "application/problem+json")
    assert (await at("203.0.113.8").submit(path, fields)).status_code == 303


async def test_flood_of_one_mailbox_looks_like_any_other_request(client: Visitor, clock: Clock) -> None:
    """AC-042, AC-053: nobody is told that the mailbox has had its share."""
    person = await make_user()

    answers = [seen(await client.submit("/forgot-password", {"email": person.email})) for _ in range(8)]

    assert all(answer == answers[0] for answer in answers)
    assert len(await emails_to(person.email)) == 5


async def test_busy_hasher_keeps_what_was_typed(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.auth.passwords._in_progress", 10_000)

    answer = await client.submit("/register", FIELDS)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert f'value="{EMAIL}"' in answer.text
    assert await db.fetch_all(sa.select(link_rows)) == []


@pytest.mark.parametrize("path", ["/register", "/verify-email", "/forgot-password", "/reset-password"])
async def test_forms_of_other_sites_are_refused(client: Visitor, path: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}

    assert (await client.submit(path, FIELDS, headers=headers)).status_code == 403


async def test_what_was_typed_is_shown_as_text(client: Visitor) -> None:
    hostile = '"><script>alert(1)</script>'

    answer = await client.submit("/register", {"name": hostile, "email": hostile, "password": "short"})

    assert "<script>alert" not in answer.text


# v5.0.0-2.4.2
async def test_program_that_fills_in_forms_is_told_to_wait(at: Any, clock: Clock) -> None:
    """Thirty accounts, each a moment after the page was shown."""
    place, statuses = at("203.0.113.7"), []
    for number in range(30):
        await place.visit("/register")
        fields = {"name": "Robin", "email": f"robin{number}@example.com", "password": PASSWORD}
        statuses.append((await place.submit("/register", fields)).status_code)

    assert statuses == [303] * 20 + [429] * 10


async def test_limit_of_a_place_can_be_set(at: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "address_emails_per_hour", 1)
    place = at("203.0.113.7")

    statuses = [(await place.submit("/forgot-password", {"email": EMAIL})).status_code for _ in range(2)]

    assert statuses == [303, 429]
