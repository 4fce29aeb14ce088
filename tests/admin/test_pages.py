"""The pages for administrators: users, one user, the audit log."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import challenges, email_links
from app.auth.accounts import user_admin
from app.auth.models import session_rows, user_rows
from app.auth.sessions import rotation, session_cache
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import make_user, sign_in, start_session
from tests.support.statements import sent
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin_area(client: Visitor) -> Visitor:
    """Signed in as an admin, Ada Admin."""
    await sign_in(client, await make_user(role="admin", name="Ada Admin", email="ada@example.net"))
    return client


def main(page: Any) -> str:
    return str(page.text.split("<main")[1])


async def test_list_shows_people_and_finds_them(admin_area: Visitor) -> None:
    await make_user(name="Zoë Zuse", email="zoe@example.org")

    everybody = main(await admin_area.visit("/admin/users"))
    by_name = main(await admin_area.visit("/admin/users?q=ZO%C3%8B"))
    by_address = main(await admin_area.visit("/admin/users?q=ZOE@example"))

    assert "Zoë Zuse" in everybody
    assert "Ada Admin" in everybody
    for found in (by_name, by_address):
        assert "zoe@example.org" in found
        assert "Ada Admin" not in found


async def test_person_is_found_by_id(admin_area: Visitor) -> None:
    person = await make_user(name="Zoë Zuse")

    assert "Zoë Zuse" in main(await admin_area.visit(f"/admin/users?q={person.id}"))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("role=admin", {"Ada Admin"}),
        ("role=user", {"Ulf User", "Dag Deactivated"}),
        ("status=deactivated", {"Dag Deactivated"}),
        ("status=active&role=user", {"Ulf User"}),
        ("role=admin&status=deactivated", set()),
        ("role=nonsense&status=1&sort=password&cursor=x", {"Ada Admin", "Ulf User", "Dag Deactivated"}),
    ],
)
async def test_list_is_filtered(admin_area: Visitor, query: str, shown: set[str]) -> None:
    await make_user(name="Ulf User")
    await make_user(name="Dag Deactivated", active=False)

    page = main(await admin_area.visit(f"/admin/users?{query}"))

    assert {name for name in ("Ada Admin", "Ulf User", "Dag Deactivated") if name in page} == shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("verified=no", {"Ida Invited", "Ina Invited"}),
        ("verified=yes", {"Ada Admin", "Ulf User", "Cleo Camein"}),
        ("verified=no&q=ina", {"Ina Invited"}),
        ("verified=no&role=admin&sort=name", {"Ina Invited"}),
        ("verified=yes&sort=last_login&q=ulf", {"Ulf User"}),
        ("verified=no&status=deactivated", set()),
    ],
)
async def test_list_is_filtered_by_who_has_confirmed_the_address(
    admin_area: Visitor, query: str, shown: set[str]
) -> None:
    """Invited users confirm their address by signing in; all others did so before the account existed."""
    names = ("Ada Admin", "Ulf User", "Ida Invited", "Ina Invited", "Cleo Camein")
    admin = await make_user(role="admin", name="Zz")
    await make_user(name="Ulf User")
    await user_admin.invite("ida@example.org", "Ida Invited", "user", admin.id)
    await user_admin.invite("ina@example.org", "Ina Invited", "admin", admin.id)
    came_in = await user_admin.invite("cleo@example.org", "Cleo Camein", "user", admin.id)
    await db.execute(sa.update(user_rows).where(user_rows.c.id == came_in).values(last_login=db.utcnow()))

    page = main(await admin_area.visit(f"/admin/users?{query}"))

    assert {name for name in names if name in page} == shown


async def test_only_live_sessions_are_counted_and_shown(admin_area: Visitor) -> None:
    admin, person = await make_user(role="admin"), await make_user()
    for _ in range(2):
        await start_session(person)
    await user_admin.end_sessions(person.id, admin.id)
    await start_session(person)

    page = main(await admin_area.visit(f"/admin/users/{person.id}"))

    assert page.count("Unknown device") == 2  # the cell, and the name of the link
    assert "Active sessions</dt><dd>1</dd>" in page


async def test_session_of_somebody_is_shown_as_a_picture_also_once_it_is_over(admin_area: Visitor) -> None:
    admin, person = await make_user(role="admin"), await make_user(name="Pat Person")
    pair = await start_session(person)
    place = f"/admin/users/{person.id}/sessions/{forge.claims(pair.access_token)['sid']}"
    await rotation.rotate(pair.refresh_token)

    listed = main(await admin_area.visit(f"/admin/users/{person.id}"))
    live = main(await admin_area.visit(place))
    await user_admin.end_sessions(person.id, admin.id)
    ended = main(await admin_area.visit(place))

    assert f'href="{place}"' in listed
    assert "Signed in, renewed once; the session is alive." in live
    assert f"{place}/end" in live
    assert "Signed in, renewed once; the session has ended." in ended
    assert events.REASON_TEXT[events.ENDED_BY_ADMIN] in ended
    assert f"{place}/end" not in ended
    for page in (live, ended):
        assert 'role="img"' in page
        assert "Pat Person" in page


async def test_audit_log_links_to_a_session_as_long_as_it_is_stored(admin_area: Visitor) -> None:
    admin, person = await make_user(role="admin"), await make_user()
    sid = forge.claims((await start_session(person)).access_token)["sid"]
    await user_admin.end_sessions(person.id, admin.id)
    place = f"/admin/audit?person={person.id}"

    kept = main(await admin_area.visit(place))
    await db.execute(sa.delete(session_rows).where(session_rows.c.id == UUID(sid)))
    pruned = main(await admin_area.visit(place))

    assert f'href="/admin/users/{person.id}/sessions/{sid}"' in kept
    assert "/sessions/" not in pruned
    assert sid in pruned


@pytest.mark.parametrize("which", ["somebody else's", "unknown", "no id"])
async def test_session_is_found_below_its_person_alone(admin_area: Visitor, which: str) -> None:
    person = await make_user()
    theirs = forge.claims((await start_session(await make_user())).access_token)["sid"]
    sid = {"somebody else's": theirs, "unknown": str(db.uuid7()), "no id": "1"}[which]

    assert (await admin_area.visit(f"/admin/users/{person.id}/sessions/{sid}")).status_code == 404


async def test_person_page_shows_events_about_them_and_by_them(admin_area: Visitor) -> None:
    admin, person = await make_user(role="admin", name="Bo Boss"), await make_user(name="Pat Person")
    await user_admin.change(person.id, admin.id, is_active=False)

    about = main(await admin_area.visit(f"/admin/users/{person.id}"))
    by = main(await admin_area.visit(f"/admin/users/{admin.id}"))

    for page in (about, by):
        assert events.EVENT_TEXT[events.USER_DEACTIVATED] in page
        assert "Bo Boss" in page
        assert "Pat Person" in page


async def test_own_page_offers_nothing_to_do(admin_area: Visitor) -> None:
    me = await db.fetch_value(sa.select(user_rows.c.id).where(user_rows.c.email == "ada@example.net"))

    page = main(await admin_area.visit(f"/admin/users/{me}"))

    assert "This is you" in page
    for action in ("edit", "deactivate", "end-sessions", "send-link", "/end"):
        assert f"{me}/{action}" not in page


@pytest.mark.parametrize("path", ["1", "x", "01a20b13-1ac5-7880-b8cb-dc794c22012c", "%27%20OR%201=1"])
async def test_unknown_person_is_404(admin_area: Visitor, path: str) -> None:
    assert (await admin_area.visit(f"/admin/users/{path}")).status_code == 404


async def test_registrations_and_invitations_that_wait_are_shown_without_their_secrets(admin_area: Visitor) -> None:
    admin = await make_user(role="admin")
    made = await user_admin.invite("nia@example.com", "Nia New", "user", admin.id)
    values = {"email": "rex@example.com", "email_key": "rex@example.com", "name": "Rex", "password": "argon2$hash"}
    async with db.transaction() as tx:
        now = db.utcnow()
        rows = [
            await email_links.make(tx, email_links.INVITE, now, user_id=made),
            await email_links.make(tx, email_links.REGISTER, now, **values),
            await email_links.make(tx, email_links.RESET, now, user_id=admin.id),
        ]
        await email_links.make(
            tx,
            email_links.REGISTER,
            now - email_links.LIFETIMES[email_links.REGISTER],
            **(values | {"name": "Too Late"}),
        )

    page = main(await admin_area.visit("/admin/users/pending"))

    assert "Nia New" in page
    assert "rex@example.com" in page
    assert "Too Late" not in page
    assert page.count("<tr") == 3
    for secret in ("argon2", *(row.secret for row in rows), *(email_links.token(row) for row in rows)):
        assert secret not in page


async def an_audit_log() -> dict[str, UUID]:
    """Three people: Una signs in from one place, Vic from another, and Una closes Vic's account."""
    una, vic = await make_user(name="Una", role="admin"), await make_user(name="Vic", email="vic@example.com")
    await events.record(events.LOGIN, user_id=una.id, actor_id=una.id)
    await events.record(events.LOGIN, user_id=vic.id, actor_id=vic.id)
    first = await db.fetch_value(sa.select(event_rows.c.id).order_by(event_rows.c.id).limit(1))
    await db.execute(sa.update(event_rows).where(event_rows.c.id == first).values(ip="192.0.2.7"))
    await user_admin.change(vic.id, una.id, is_active=False)
    return {"una": una.id, "vic": vic.id}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("event=login", 2),
        ("event=user_deactivated", 1),
        ("person={una}", 2),
        ("person={vic}", 2),
        ("person=VIC@example.com", 2),
        ("person={vic}&event=login", 1),
        ("ip=192.0.2.7", 1),
        ("ip=192.0.2.8", 0),
        ("ip=192.0.2.7&event=login&person={una}", 1),
        ("ip=192.0.2.7&event=login&person={vic}", 0),
        ("since={today}&until={today}", 3),
        ("since={tomorrow}", 0),
        ("until={yesterday}", 0),
        ("since=1970-01-01&until=9998-12-31", 3),
        ("person=nobody@example.com", 0),
        ("person=01a20b13-1ac5-7880-b8cb-dc794c22012c", 0),
    ],
)
async def test_audit_log_is_filtered(admin_area: Visitor, query: str, count: int) -> None:
    ids = await an_audit_log()
    day = db.utcnow().date()
    days = {
        "today": day,
        "tomorrow": day.fromordinal(day.toordinal() + 1),
        "yesterday": day.fromordinal(day.toordinal() - 1),
    }

    page = await admin_area.visit("/admin/audit?" + query.format(**ids, **days))

    assert page.status_code == 200
    assert main(page).count('<details class="raw"') == count


async def test_row_has_words_and_its_raw_fields(admin_area: Visitor) -> None:
    await an_audit_log()

    page = main(await admin_area.visit("/admin/audit?event=user_deactivated"))

    row = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == events.USER_DEACTIVATED))
    assert events.EVENT_TEXT[events.USER_DEACTIVATED] in page
    for value in (row.id, row.user_id, row.actor_id, row.event):
        assert f"<code>{value}</code>" in page


async def test_events_of_a_deleted_account_are_found_by_its_id(admin_area: Visitor) -> None:
    ids = await an_audit_log()
    await db.execute(sa.delete(user_rows).where(user_rows.c.id == ids["vic"]))

    page = main(await admin_area.visit(f"/admin/audit?person={ids['vic']}"))

    assert page.count('<details class="raw"') == 2
    assert "a deleted account" in page


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("ip=nonsense", "Enter an IP address such as"),
        ("since=2026-02-30", "Enter a date such as"),
        ("until=tomorrow", "Enter a date such as"),
        ("since=0001-01-01", "Enter a date such as"),
        ("since=1969-12-31", "Enter a date such as"),
        ("until=9999-12-31", "Enter a date such as"),
        ("event=<script>", "Choose one of the listed values."),
        ("person=" + "x" * 300, "Use at most 254 characters."),
    ],
)
async def test_filter_that_cannot_be_understood_says_so_and_keeps_the_rest(
    admin_area: Visitor, query: str, message: str
) -> None:
    page = await admin_area.visit(
        f"/admin/audit?{query}&ip=192.0.2.7" if "ip" not in query else f"/admin/audit?{query}"
    )

    assert page.status_code == 422
    assert message in page.text
    assert "<script>" not in main(page)
    assert ("192.0.2.7" in page.text) or "ip" in query


# v5.0.0-16.3.2
async def test_refused_visitor_is_recorded(client: Visitor) -> None:
    """v5.0.0-16.3.2"""
    person = await make_user()
    await sign_in(client, person)

    await client.visit("/admin/users")

    event = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == events.ACCESS_DENIED))
    assert event.actor_id == person.id


async def test_refusals_are_recorded_once_a_person_and_minute_by_all_workers_together(
    make_client: Callable[..., Visitor], clock: Clock
) -> None:
    """Another worker is played by forgetting what this one has told."""
    first, second = make_client(), make_client()
    for visitor in (first, second):
        await sign_in(visitor, await make_user())
    clock.now = clock.now.replace(second=0)

    for _ in range(3):
        for visitor in (first, second):
            assert (await visitor.visit("/admin/users")).status_code == 403
            assert (await visitor.call("GET", "/api/admin/users")).status_code == 403
        challenges._recorded.clear()
        clock.forward(seconds=10)
    clock.forward(seconds=30)
    await first.visit("/admin")

    denials = await db.fetch_all(sa.select(event_rows).where(event_rows.c.event == events.ACCESS_DENIED))
    assert len(denials) == 3
    assert len({row.actor_id for row in denials}) == 2


async def test_refusal_that_this_worker_has_recorded_asks_the_database_no_more(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    await session_cache.read_invalidations()
    await client.visit("/admin")

    with sent() as statements:
        assert (await client.visit("/admin")).status_code == 403

    assert statements == []


async def test_no_route_changes_or_removes_an_event_of_the_audit_log(admin_area: Visitor) -> None:
    """AC-153"""
    from app.main import route_table

    audit = [row for row in route_table() if "audit" in row["path"]]

    assert {(row["method"], row["path"]) for row in audit} == {
        ("GET", "/admin/audit"), ("GET", "/admin/audit/export"), ("POST", "/admin/audit/export"),
        ("GET", "/api/admin/audit"),
    }  # fmt: skip
