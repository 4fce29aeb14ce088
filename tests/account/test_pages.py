"""/account and what hangs on it, over HTTP."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth.models import session_rows, user_rows
from app.mfa import passkeys, webauthn
from tests.mfa.test_pages import hidden
from tests.support import forge
from tests.support.clock import Clock
from tests.support.device import with_a_device
from tests.support.mailbox import emails_to
from tests.support.people import PASSWORD, Person, make_user, sign_in, start_session
from tests.support.phone import with_a_phone
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

NEW = "wrong zebra paperclip sonata"
ACCESS, REFRESH = "__Host-access", "__Host-refresh"


@pytest.fixture
async def person(client: Visitor) -> Person:
    """Signed in with `client`."""
    person = await make_user()
    await sign_in(client, person)
    return person


async def stored(person: Person) -> Any:
    return await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == person.id))


async def test_overview_shows_the_person_and_leads_everywhere(client: Visitor, person: Person) -> None:
    page = (await client.visit("/account")).text

    assert f'value="{person.name}"' in page
    assert person.email in page
    for page_name in ("email", "password", "sessions", "activity", "export", "delete"):
        assert f'href="/account/{page_name}"' in page


async def test_name_is_saved_and_shown_at_once(client: Visitor, person: Person) -> None:
    answer = await client.submit("/account", {"name": "  Zoë Zuse "})

    assert (answer.status_code, answer.headers["location"]) == (303, "/account?notice=name_changed")
    assert (await stored(person)).name == "Zoë Zuse"
    assert "Zoë Zuse" in (await client.visit("/dashboard")).text


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\u202eb", "a\x07b", "e" + "\u0301" * 500])
async def test_name_that_cannot_be_shown_is_refused(client: Visitor, person: Person, name: str) -> None:
    """AC-026"""
    answer = await client.submit("/account", {"name": name})

    assert answer.status_code == 422
    assert 'id="name-error"' in answer.text
    assert (await stored(person)).name == person.name


# v5.0.0-15.3.3, v5.0.0-8.2.3
async def test_nothing_but_the_name_can_be_changed_there(client: Visitor, person: Person) -> None:
    """v5.0.0-15.3.3"""
    fields = {"name": "Other", "role": "admin", "email": "x@example.com", "id": str(db.uuid7()), "is_active": "false"}

    await client.submit("/account", fields)

    row = await stored(person)
    assert (row.name, row.role, row.email, row.is_active) == ("Other", "user", person.email, True)


async def test_new_password_goes_on_here_under_a_new_session(client: Visitor, person: Person) -> None:
    old = client.cookie(ACCESS)

    answer = await client.submit("/account/password", {"current_password": PASSWORD, "new_password": NEW})

    assert (answer.status_code, answer.headers["location"]) == (303, "/account?notice=password_changed")
    assert client.cookie(ACCESS) != old
    assert (await client.visit("/account?notice=password_changed")).status_code == 200
    other = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {old}"})
    assert other.status_code == 401


# v5.0.0-7.4.3
async def test_new_password_puts_another_browser_out(client: Visitor, person: Person, make_client: Any) -> None:
    """v5.0.0-7.4.3"""
    other = make_client()
    await sign_in(other, person)
    assert (await other.visit("/dashboard")).status_code == 200

    await client.submit("/account/password", {"current_password": PASSWORD, "new_password": NEW})

    assert (await other.visit("/dashboard")).headers["location"].startswith("/login")
    assert (await other.visit("/auth/resume")).headers["location"].startswith("/login")


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"current_password": "not the right passphrase", "new_password": NEW}, "current_password"),
        ({"current_password": PASSWORD, "new_password": "short"}, "new_password"),
        ({"current_password": PASSWORD, "new_password": PASSWORD}, "new_password"),
        ({"current_password": PASSWORD}, "new_password"),
        ({"new_password": NEW}, "current_password"),
    ],
)
async def test_refused_password_says_so_at_its_field_and_repeats_nothing(
    client: Visitor, person: Person, fields: dict[str, str], at: str
) -> None:
    """v5.0.0-6.2.3"""
    before = client.cookie(ACCESS)

    answer = await client.submit("/account/password", fields)

    assert answer.status_code == 422
    assert f'id="{at}-error"' in answer.text
    assert answer.text.count("aria-invalid") == 1
    assert NEW not in answer.text
    assert PASSWORD not in answer.text
    assert client.cookie(ACCESS) == before
    assert (await client.submit("/login", {"email": person.email, "password": PASSWORD})).status_code == 303


async def test_password_page_says_what_was_added_lately(client: Visitor, clock: Clock) -> None:
    """A user who changes a stolen password sees what the attacker may have left behind."""
    person = await make_user()
    await with_a_device(person, name="Old <b>key</b>")
    clock.forward(days=14)
    await with_a_device(person, name="New <b>key</b>")
    phone = await with_a_phone(person)
    await sign_in(client, person)

    page = (await client.visit("/account/password")).text
    assert "New &lt;b&gt;key" in page
    assert "Old &lt;b&gt;key" not in page
    assert "Two-factor authentication" in page
    assert "Recovery codes" not in page
    clock.forward(minutes=1)
    made = {"code": phone.recovery_codes[0], "current_password": PASSWORD}
    shown = await client.submit("/account/second-factor/recovery-codes", made)
    assert shown.status_code == 200
    assert "Recovery codes" not in (await client.visit("/account/password")).text
    await client.submit("/account/second-factor/recovery-codes/saved", {"shown": hidden(shown, "shown")})
    assert "Recovery codes" in (await client.visit("/account/password")).text

    clock.forward(days=14)
    await sign_in(client, person)
    later = (await client.visit("/account/password")).text
    assert "in the last" not in later
    assert 'value="all"' in later
    assert 'value="new"' not in later


async def test_nothing_about_passkeys_where_there_are_none(client: Visitor, person: Person) -> None:
    page = (await client.visit("/account/password")).text.partition("<main")[2]

    assert "passkey" not in page
    assert "in the last" not in page


# v5.0.0-6.5.6
@pytest.mark.parametrize(
    ("which", "left"), [("", [True, True]), ("none", [True, True]), ("new", [True, False]), ("all", [False, False])]
)
async def test_new_password_takes_passkeys_along_if_asked(
    client: Visitor, clock: Clock, which: str, left: list[bool]
) -> None:
    person, other = await make_user(), await make_user()
    old = await with_a_device(person)
    clock.forward(days=14)
    new, theirs = await with_a_device(person), await with_a_device(other)
    await sign_in(client, person)
    form = {
        "current_password": "not the right passphrase",
        "new_password": NEW,
        **({"passkeys": which} if which else {}),
    }

    refused = await client.submit("/account/password", form)
    assert f'value="{which or "none"}" checked' in " ".join(refused.text.replace(' id="passkeys"', "").split())
    assert len(await passkeys.of_user(person.id)) == 2  # the password was wrong: nothing goes
    done = await client.submit("/account/password", form | {"current_password": PASSWORD})

    assert done.headers["location"] == "/account?notice=password_changed"
    asked = webauthn.to_sign(webauthn.SIGN_IN)
    assert [
        bool(await passkeys.sign_in(device.get(webauthn.to_sign(webauthn.SIGN_IN)))) for device in (old, new)
    ] == left
    assert await passkeys.sign_in(theirs.get(asked))
    told = [email_message.subject for email_message in await emails_to(person.email)]
    assert ("A passkey was removed" in told) is (not all(left))


async def test_odd_wish_about_passkeys_changes_nothing(client: Visitor, person: Person) -> None:
    await with_a_device(person)

    answer = await client.submit(
        "/account/password", {"current_password": PASSWORD, "new_password": NEW, "passkeys": "<script>"}
    )

    assert answer.status_code == 422
    assert "<script>" not in answer.text
    assert len(await passkeys.of_user(person.id)) == 1


async def test_guessing_shows_the_form_with_the_wait(client: Visitor, person: Person) -> None:
    for _ in range(10):
        await client.submit("/account/password", {"current_password": "wrong passphrase", "new_password": NEW})

    answer = await client.submit("/account/password", {"current_password": PASSWORD, "new_password": NEW})

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Too many attempts" in answer.text
    assert 'name="new_password"' in answer.text


# v5.0.0-6.2.6, v5.0.0-6.2.7
async def test_password_fields_say_what_they_are_to_a_password_manager(client: Visitor, person: Person) -> None:
    """AC-190"""
    page = (await client.visit("/account/password")).text

    for token in ('autocomplete="username"', 'autocomplete="current-password"', 'autocomplete="new-password"'):
        assert page.count(token) == 1, token


# v5.0.0-7.5.1
@pytest.mark.parametrize(
    "path",
    [
        "/account/password", "/account/email", "/account/delete", "/account/export", "/account/sessions/revoke-others",
        "/account/sessions/{sid}/revoke",
    ],
)  # fmt: skip
async def test_password_typed_long_ago_is_asked_for_again_and_a_late_form_does_nothing(
    client: Visitor, clock: Clock, path: str
) -> None:
    """v5.0.0-7.5.1, v5.0.0-7.5.2, v5.0.0-7.5.3"""
    person = await make_user()
    await sign_in(client, person)
    victim = UUID(forge.claims((await start_session(person)).access_token)["sid"])
    path = path.replace("{sid}", str(victim))
    clock.forward(minutes=10, seconds=1)
    fields = {"current_password": PASSWORD, "new_password": NEW, "email": "new@example.com"}

    shown, sent = await client.visit(path), await client.submit(path, fields)
    program = await client.call("POST", path, data=fields)

    for answer in (shown, sent):
        assert (answer.status_code, answer.headers["location"]) == (303, "/step-up?next=" + path.replace("/", "%2F"))
    assert program.status_code == 401
    assert 'error="insufficient_user_authentication"' in program.headers["www-authenticate"]
    rows = await db.fetch_all(sa.select(session_rows.c.revoked_at))
    assert [row.revoked_at for row in rows] == [None, None]
    assert (await stored(person)).delete_after is None


async def test_activity_tells_in_words_and_in_pages(client: Visitor, person: Person) -> None:
    admin = await make_user(role="admin")
    await events.record(events.ROLE_CHANGED, user_id=person.id, actor_id=admin.id, detail="user")
    for _ in range(60):
        await events.record(events.NAME_CHANGED, user_id=person.id, actor_id=person.id)
    await events.record(events.EMAIL_CHANGED, user_id=admin.id, actor_id=admin.id)

    first = (await client.visit("/account/activity")).text
    assert first.count("Name changed") == 50
    assert "E-mail address changed" not in first
    older = first.split('rel="next" href="')[1].split('"')[0]
    second = (await client.visit(older)).text

    assert second.count("Name changed") == 10
    assert "Role changed, by an administrator" in second
    assert 'rel="next"' not in second


async def test_account_given_up_signs_out_and_says_how_to_keep_it(client: Visitor, person: Person) -> None:
    answer = await client.submit("/account/delete")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login?notice=deletion_requested")
    assert client.cookie(ACCESS) is None
    assert client.cookie(REFRESH) is None
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "Sign in before then" in (await client.visit(answer.headers["location"])).text
    back = await client.submit("/login", {"email": person.email, "password": PASSWORD, "next": "/account"})
    assert back.headers["location"] == "/dashboard?notice=deletion_cancelled"
    assert "Welcome back" in (await client.visit("/dashboard?notice=deletion_cancelled")).text


async def test_last_admin_is_told_why_not(client: Visitor) -> None:
    await sign_in(client, await make_user(role="admin"))

    answer = await client.submit("/account/delete")

    assert answer.status_code == 409
    assert "You are the only administrator" in answer.text
    assert (await client.visit("/account")).status_code == 200


async def test_page_of_the_end_says_what_goes_and_what_stays(client: Visitor, person: Person) -> None:
    page = (await client.visit("/account/delete")).text

    assert "After 14 days" in page
    assert "What is kept, and why" in page


async def test_well_known_address_leads_to_the_password_page(client: Visitor) -> None:
    """v5.0.0-6.2.2"""
    answer = await client.visit("/.well-known/change-password")

    assert (answer.status_code, answer.headers["location"]) == (303, "/account/password")


async def test_security_txt_says_whom_to_tell_and_until_when(client: Visitor, clock: Clock) -> None:
    """RFC 9116, AC-194"""
    answer = await client.visit("/.well-known/security.txt")

    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert fields == {
        "Contact": "mailto:security@testserver",
        "Expires": f"{clock.forward(days=90):%Y-%m-%d}T00:00:00Z",
        "Preferred-Languages": "en",
        "Canonical": "https://testserver/.well-known/security.txt",
    }
