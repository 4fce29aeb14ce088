"""What an admin does on pages: asked first, done by a POST, told afterwards, and taken back where that can be."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.accounts import user_admin
from app.auth.models import session_rows, user_rows
from app.email import outbox
from app.email.models import email_rows
from app.mfa import proofs
from tests.support import forge
from tests.support.clock import Clock
from tests.support.device import with_a_device
from tests.support.people import PASSWORD, Person, make_user, sign_in, start_session
from tests.support.phone import with_a_phone
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
ACTIONS = [
    "deactivate",
    "reactivate",
    "end-sessions",
    "send-link",
    "require-new-password",
    "allow-old-password",
    "edit",
]


@pytest.fixture
async def admin(database: str) -> Person:
    return await make_user(role="admin", name="Ada Admin")


@pytest.fixture
async def admin_area(client: Visitor, admin: Person) -> Visitor:
    await sign_in(client, admin)
    return client


async def row_of(user_id: UUID) -> Any:
    return await db.fetch_one(sa.select(user_rows).where(user_rows.c.id == user_id))


async def session_of(person: Person) -> Any:
    return await db.fetch_one(sa.select(session_rows).where(session_rows.c.user_id == person.id))


async def undo_of(admin_area: Visitor, location: str) -> tuple[str, dict[str, str]]:
    """Where the undo button of that page posts to, and its hidden fields; or the page that it leads to, and a proof."""
    found = (await admin_area.visit(location)).text
    if '<p class="undo"' in found:
        leads_to = found.split('<p class="undo"')[1].split('href="')[1].split('"')[0]
        asks = await admin_area.visit(leads_to)
        assert asks.status_code == 200
        assert 'name="current_password"' in asks.text
        return leads_to.partition("?")[0], {"current_password": PASSWORD}
    form = found.split('<form class="undo"')[1].split("</form>")[0]
    fields = {}
    for field in form.split("<input")[1:]:
        name, value = (field.split(f'{each}="')[1].split('"')[0] for each in ("name", "value"))
        fields[name] = value
    return form.split('action="')[1].split('"')[0], fields


# v5.0.0-7.4.2
async def test_deactivation_ends_the_persons_sessions_and_can_be_undone(admin_area: Visitor, admin: Person) -> None:
    victim = await make_user()
    await start_session(victim)

    done = await admin_area.submit(f"/admin/users/{victim.id}/deactivate")

    assert done.headers["location"] == f"/admin/users/{victim.id}?notice=user_deactivated"
    assert not (await row_of(victim.id)).is_active
    assert (await session_of(victim)).revoked_for == events.DEACTIVATED
    event = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == events.USER_DEACTIVATED))
    assert (event.user_id, event.actor_id) == (victim.id, admin.id)
    path, fields = await undo_of(admin_area, done.headers["location"])
    await admin_area.submit(path, fields)
    assert (await row_of(victim.id)).is_active


async def test_role_change_can_be_undone(admin_area: Visitor) -> None:
    person = await make_user(name="Pat Person")

    change = {"name": "Pat P.", "role": "admin", "current_password": PASSWORD}
    done = await admin_area.submit(f"/admin/users/{person.id}/edit", change)

    assert done.headers["location"].endswith("notice=role_changed")
    path, fields = await undo_of(admin_area, done.headers["location"])
    undone = await admin_area.submit(path, fields)
    row = await row_of(person.id)
    assert (row.name, row.role) == ("Pat P.", "user")
    path, proof = await undo_of(admin_area, undone.headers["location"])
    assert 'value="admin" selected' in (await admin_area.visit(f"{path}?role=admin")).text
    await admin_area.submit(path, {"name": "Pat P.", "role": "admin", **proof})
    assert (await row_of(person.id)).role == "admin"


async def test_required_password_change_can_be_undone(admin_area: Visitor) -> None:
    person = await make_user()

    done = await admin_area.submit(f"/admin/users/{person.id}/require-new-password")
    assert (await row_of(person.id)).must_change_password
    await admin_area.submit(*await undo_of(admin_area, done.headers["location"]))

    assert not (await row_of(person.id)).must_change_password


@pytest.mark.parametrize("notice", ["user_deactivated", "role_changed", "new_password_wanted", "nonsense"])
async def test_link_with_a_notice_offers_to_undo_only_what_was_done(admin_area: Visitor, notice: str) -> None:
    person = await make_user()

    assert '"undo"' not in (await admin_area.visit(f"/admin/users/{person.id}?notice={notice}")).text


# v5.0.0-7.4.5
async def test_ended_sessions_leave_the_account_open(admin_area: Visitor) -> None:
    victim = await make_user()
    for _ in range(3):
        await start_session(victim)

    await admin_area.submit(f"/admin/users/{victim.id}/end-sessions")

    rows = await db.fetch_all(sa.select(session_rows).where(session_rows.c.user_id == victim.id))
    assert {row.revoked_for for row in rows} == {events.ENDED_BY_ADMIN}
    assert (await row_of(victim.id)).is_active


async def test_one_session_is_ended_from_its_page(admin_area: Visitor) -> None:
    victim, other = await make_user(), await make_user()
    await start_session(victim)
    session = await session_of(victim)
    path = f"/admin/users/{victim.id}/sessions/{session.id}/end"

    assert (await admin_area.visit(path)).status_code == 200
    assert (await admin_area.visit(f"/admin/users/{other.id}/sessions/{session.id}/end")).status_code == 404
    done = await admin_area.submit(path)

    assert done.headers["location"] == f"/admin/users/{victim.id}?notice=session_ended_here"
    assert (await session_of(victim)).revoked_for == events.ENDED_BY_ADMIN


@pytest.mark.parametrize("action", ACTIONS)
async def test_admins_cannot_do_this_to_their_own_account(admin_area: Visitor, admin: Person, action: str) -> None:
    await make_user(role="admin")

    assert (await admin_area.visit(f"/admin/users/{admin.id}/{action}")).status_code == 409
    assert (
        await admin_area.submit(f"/admin/users/{admin.id}/{action}", {"name": "X", "role": "user"})
    ).status_code == 409

    row = await row_of(admin.id)
    assert (row.is_active, row.role, row.name, row.must_change_password) == (True, "admin", "Ada Admin", False)


@pytest.mark.parametrize("action", ACTIONS)
async def test_post_that_comes_late_changes_nothing_and_leads_back(client: Visitor, action: str) -> None:
    """v5.0.0-7.5.1"""
    pair = await sign_in(client, await make_user(role="admin"))
    typed = int(db.utcnow().timestamp()) - 3600
    client.put_cookie("__Host-access", forge.resign(pair.access_token, auth_time=typed))
    person = await make_user()
    await start_session(person)
    path = f"/admin/users/{person.id}/{action}"

    answers = await client.visit(path), await client.submit(path, {"name": "X", "role": "admin"})

    for answer in answers:
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/step-up?next={path.replace('/', '%2F')}"
    row = await row_of(person.id)
    assert (row.is_active, row.role, row.name, row.must_change_password) == (True, "user", person.name, False)
    assert (await session_of(person)).revoked_at is None
    assert await db.fetch_all(sa.select(email_rows)) == []


# v5.0.0-8.3.2
async def test_admin_demoted_a_moment_ago_is_refused(admin_area: Visitor, admin: Person) -> None:
    """The session in this worker's cache still says admin (v5.0.0-8.3.2)."""
    person = await make_user()
    assert (await admin_area.visit("/admin/users")).status_code == 200
    await db.execute(sa.update(user_rows).where(user_rows.c.id == admin.id).values(role="user"))

    answer = await admin_area.submit(f"/admin/users/{person.id}/deactivate")

    assert answer.status_code == 403
    assert (await row_of(person.id)).is_active


@pytest.mark.parametrize("path", ["{id}/promote", "{id}/deactivate/now", "1/deactivate", "x/end-sessions"])
async def test_unknown_action_or_person_is_404(admin_area: Visitor, path: str) -> None:
    victim = await make_user()

    assert (await admin_area.visit(f"/admin/users/{path.replace('{id}', str(victim.id))}")).status_code == 404


async def test_doing_it_twice_says_that_it_was_so_already(admin_area: Visitor) -> None:
    person = await make_user()
    path = f"/admin/users/{person.id}/deactivate"

    first, second = await admin_area.submit(path), await admin_area.submit(path)

    assert first.headers["location"].endswith("notice=user_deactivated")
    assert second.headers["location"].endswith("notice=nothing_to_do")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "", "role": "user"}, "Please fill this in."),
        ({"name": "x" * 81, "role": "user"}, "Use at most 80 characters."),
        ({"name": "a\u202eb", "role": "user"}, "This contains characters that cannot be shown."),
        ({"name": "Fine", "role": "root"}, "Choose one of the listed values."),
        ({"name": "Fine"}, "This is required."),
    ],
)
async def test_edit_that_does_not_fit_comes_back_as_typed(
    admin_area: Visitor, fields: dict[str, str], message: str
) -> None:
    person = await make_user(name="Before")

    answer = await admin_area.submit(f"/admin/users/{person.id}/edit", fields)

    assert answer.status_code == 422
    assert message in answer.text
    assert (await row_of(person.id)).name == "Before"


async def test_invitation_creates_an_account_and_queues_an_email(admin_area: Visitor) -> None:
    fields = {"email": " Nia@Example.com ", "name": "Nia New", "role": "user", "current_password": PASSWORD}

    done = await admin_area.submit("/admin/users/new", fields)

    row = await db.fetch_one(sa.select(user_rows).where(user_rows.c.email_key == "nia@example.com"))
    assert done.headers["location"] == f"/admin/users/{row.id}?notice=user_invited"
    email_message = await db.fetch_one(sa.select(email_rows))
    assert (email_message.kind, email_message.user_id, email_message.recipient) == ("invite", row.id, "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"email": "taken@example.com", "name": "N", "role": "user"}, "There is already an account with this address."),
        ({"email": "nonsense", "name": "N", "role": "user"}, "Enter an address such as"),
        ({"email": "n@example.com", "name": "N", "role": "owner"}, "Choose one of the listed values."),
        ({}, "This is required."),
    ],
)
async def test_invitation_that_does_not_fit_invites_nobody(
    admin_area: Visitor, fields: dict[str, str], message: str
) -> None:
    await make_user(email="taken@example.com")

    answer = await admin_area.submit("/admin/users/new", fields | {"current_password": PASSWORD} if fields else {})

    assert answer.status_code == 422
    assert message in answer.text
    assert await db.fetch_all(sa.select(email_rows)) == []


# v5.0.0-6.4.6
async def test_no_form_of_the_admin_area_takes_a_password_but_the_admins_own(admin_area: Visitor) -> None:
    """AC-148, v5.0.0-6.4.6"""
    person = await make_user()

    for path in (f"/admin/users/{person.id}", f"/admin/users/{person.id}/edit", "/admin/users/new"):
        page = (await admin_area.visit(path)).text
        assert page.count('type="password"') == page.count('name="current_password"') <= 1
        assert 'autocomplete="new-password"' not in page
    fields = {"name": "X", "role": "user", "password": "chosen by an admin", "new_password": "chosen by an admin"}
    before = (await row_of(person.id)).password
    await admin_area.submit(f"/admin/users/{person.id}/edit", fields)
    assert (await row_of(person.id)).password == before


GIVING = {
    "new": {"email": "nia@example.com", "name": "Nia", "role": "user"},
    "{id}/edit": {"name": "Pat", "role": "admin"},
    "{id}/reactivate": {},
    "{id}/allow-old-password": {},
    "{id}/remove-second-factor": {},
}


# v5.0.0-7.5.3
@pytest.mark.parametrize("place", GIVING)
@pytest.mark.parametrize("way", ["password", "password and code", "passkey"])
async def test_what_gives_somebody_something_takes_a_proof(
    client: Visitor, clock: Clock, admin: Person, place: str, way: str
) -> None:
    """An account that a copied cookie made, opened or raised would outlive the session."""
    person, device = await make_user(name="Before"), await with_a_device(admin)
    await with_a_phone(person)
    values = {"is_active": place == "{id}/remove-second-factor", "must_change_password": True}
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(values))
    phone = await with_a_phone(admin) if way == "password and code" else None
    pair = await sign_in(client, admin)
    path, asked = "/admin/users/" + place.format(id=person.id), sa.select(user_rows).order_by(user_rows.c.id)
    before, code = await db.fetch_all(asked), {"code": phone.recovery_codes[0]} if phone else {}

    for proof in ({}, code, {"current_password": "wrong passphrase", **code}, {"passkey": "x"}):
        refused = await client.submit(path, GIVING[place] | proof)
        assert refused.status_code == 422
        assert 'id="current_password-error"' in refused.text or 'id="passkey-error"' in refused.text
        assert all(f'value="{value}"' in refused.text for value in GIVING[place].values())
    assert await db.fetch_all(asked) == before

    good = {"current_password": PASSWORD, **code}
    if way == "passkey":
        good = {"passkey": device.get(proofs.to_prove(UUID(forge.claims(pair.access_token)["sid"])))}
    assert (await client.submit(path, GIVING[place] | good)).status_code == 303
    assert await db.fetch_all(asked) != before


async def test_too_many_guesses_show_the_form_with_the_wait(admin_area: Visitor) -> None:
    fields = {"email": "nia@example.com", "name": "Nia", "role": "user", "current_password": "wrong passphrase"}
    for _ in range(10):
        await admin_area.submit("/admin/users/new", fields)

    for path, sent in (("new", fields), (f"{(await make_user()).id}/reactivate", {})):
        answer = await admin_area.submit(f"/admin/users/{path}", sent | {"current_password": PASSWORD})
        assert answer.status_code == 429
        assert "Too many attempts" in answer.text
        assert all(f'value="{sent[name]}"' in answer.text for name in ("email", "name") if name in sent)


async def test_role_that_another_admin_took_meanwhile_is_not_given_back(
    admin_area: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new name for somebody who was an admin when the page was shown needs no proof, and gives no role."""
    person = await make_user(role="admin", name="Before")

    async def and_then_demoted(*given: Any, change: Any = user_admin.change, **values: Any) -> Any:
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(role="user"))
        return await change(*given, **values)

    monkeypatch.setattr(user_admin, "change", and_then_demoted)

    await admin_area.submit(f"/admin/users/{person.id}/edit", {"name": "After", "role": "admin"})

    row = await row_of(person.id)
    assert (row.name, row.role) == ("After", "user")


async def test_form_shown_to_somebody_else_does_nothing(admin_area: Visitor) -> None:
    person = await make_user()

    answer = await admin_area.submit(f"/admin/users/{person.id}/deactivate", {"as": str(person.id)})

    assert answer.status_code == 409
    assert (await row_of(person.id)).is_active


async def a_failed_email(person: Person) -> UUID:
    async with db.transaction() as tx:
        email_id = await outbox.enqueue(tx, "password_changed", user_id=person.id)
        failed = {"failed_at": db.utcnow(), "attempts": 9, "error": "550 <script>alert(1)</script>"}
        await tx.execute(sa.update(email_rows).where(email_rows.c.id == email_id).values(failed))
    return email_id


async def test_failed_email_is_listed_and_tried_again(admin_area: Visitor, admin: Person, clock: Clock) -> None:
    person = await make_user()
    email_id = await a_failed_email(person)
    page = (await admin_area.visit("/admin/mail")).text
    assert person.email in page
    assert "550 &lt;script&gt;" in page

    done = await admin_area.submit(f"/admin/mail/{email_id}/try-again")

    assert done.headers["location"] == "/admin/mail?notice=email_retried"
    email_message = await db.fetch_one(sa.select(email_rows))
    assert (email_message.failed_at, email_message.attempts, email_message.next_try_at) == (None, 0, clock.now)
    event = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == events.EMAIL_RETRIED))
    assert (event.actor_id, event.user_id, event.detail) == (admin.id, person.id, "password_changed")


async def test_email_that_is_on_its_way_cannot_be_tried_again(admin_area: Visitor) -> None:
    person = await make_user()
    async with db.transaction() as tx:
        email_id = await outbox.enqueue(tx, "password_changed", user_id=person.id)

    assert (await admin_area.visit(f"/admin/mail/{email_id}/try-again")).status_code == 404


async def test_deactivated_admin_who_acts_at_the_same_moment_is_out(admin_area: Visitor, admin: Person) -> None:
    boss, person = await make_user(role="admin"), await make_user()
    await user_admin.change(admin.id, boss.id, is_active=False)

    answer = await admin_area.submit(f"/admin/users/{person.id}/deactivate")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    assert (await row_of(person.id)).is_active
