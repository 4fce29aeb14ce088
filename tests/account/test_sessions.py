"""Devices: what is listed, what is not, and who can sign which of them out."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events, queries
from app.auth.models import session_rows
from app.auth.sessions import revocation, rotation
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import Person, make_user, sign_in, start_session
from tests.support.statements import sent, spoken
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def device_of(person: Person, user_agent: str = "", ip: str = "") -> UUID:
    """A session of the person on that browser, at that address."""
    sid = UUID(forge.claims((await start_session(person)).access_token)["sid"])
    row = sa.update(session_rows).where(session_rows.c.id == sid)
    await db.execute(row.values(user_agent=user_agent, ip=ip))
    return sid


async def reason(sid: UUID) -> Any:
    return await db.fetch_value(sa.select(session_rows.c.revoked_for).where(session_rows.c.id == sid))


@pytest.fixture
async def person(client: Visitor) -> Person:
    person = await make_user()
    await sign_in(client, person)
    return person


# v5.0.0-7.5.2
async def test_each_live_device_is_listed_with_its_place_and_this_one_is_marked(
    client: Visitor, person: Person
) -> None:
    sid = await device_of(person, FIREFOX, "203.0.113.7")
    await device_of(await make_user(), "curl/8", "198.51.100.9")

    page = (await client.visit("/account/sessions")).text

    assert "Firefox on Linux" in page
    assert "203.0.113.7" in page
    assert f"/account/sessions/{sid}/revoke" in page
    assert page.count("this device</span>") == 1
    assert "198.51.100.9" not in page


async def test_ended_devices_are_told_apart_with_the_reason(client: Visitor, clock: Clock) -> None:
    person = await make_user()
    idle, reused = await device_of(person, ip="203.0.113.1"), await device_of(person, ip="203.0.113.2")
    forgotten = await device_of(person, ip="203.0.113.3")
    async with db.transaction() as tx:
        await revocation.revoke(forgotten, events.LOGGED_OUT, tx=tx, now=clock.now - timedelta(days=25))
    clock.forward(days=8)
    async with db.transaction() as tx:
        await revocation.revoke(reused, events.REUSED, tx=tx, now=clock.now)
    await sign_in(client, person)

    live, ended = (await client.visit("/account/sessions")).text.split('<details class="ended"')

    assert "/revoke" not in live
    assert str(idle) not in live
    assert "Expired: not used for too long" in ended
    assert events.REASON_TEXT[events.REUSED] in ended
    assert "203.0.113.3" not in ended


async def test_each_device_leads_to_its_life_as_a_picture(client: Visitor, person: Person) -> None:
    pair = await start_session(person)
    sid = UUID(forge.claims(pair.access_token)["sid"])
    await rotation.rotate(pair.refresh_token)

    listed = (await client.visit("/account/sessions")).text
    page = (await client.visit(f"/account/sessions/{sid}")).text

    assert f'href="/account/sessions/{sid}"' in listed
    assert "Signed in, renewed once; the session is alive." in page
    assert 'role="img"' in page
    assert "Show as a table" in page
    assert f"/account/sessions/{sid}/revoke" in page


async def test_device_that_was_signed_out_still_tells_what_happened(client: Visitor, person: Person) -> None:
    sid = await device_of(person)
    await client.submit(f"/account/sessions/{sid}/revoke")

    page = (await client.visit(f"/account/sessions/{sid}")).text

    assert f'href="/account/sessions/{sid}"' in (await client.visit("/account/sessions")).text
    assert "the session has ended." in page
    assert events.REASON_TEXT[events.ENDED_BY_OWNER] in page
    assert "/revoke" not in page


async def test_list_and_picture_take_as_many_queries_for_many_devices_as_for_one(
    client: Visitor, person: Person
) -> None:
    sid = await device_of(person)
    await client.visit("/dashboard")  # checks in
    counts = []
    for _ in range(2):
        for path in ("/account/sessions", f"/account/sessions/{sid}"):
            with sent() as run:
                assert (await client.visit(path)).status_code == 200
            counts.append(len(spoken(run)))
        for _ in range(5):
            await device_of(person)
            await events.record(events.SESSION_ROTATED, user_id=person.id, session_id=sid, detail="gen 2")

    assert counts[:2] == counts[2:]
    assert max(counts) <= 4


# v5.0.0-10.4.9, v5.0.0-7.5.2
async def test_signed_out_device_is_out_at_its_next_click(client: Visitor, person: Person, make_client: Any) -> None:
    """v5.0.0-7.4.1, v5.0.0-7.5.2"""
    other = make_client()
    sid = UUID(forge.claims((await sign_in(other, person)).access_token)["sid"])
    assert (await other.visit("/dashboard")).status_code == 200

    assert "Sign out this device?" in (await client.visit(f"/account/sessions/{sid}/revoke")).text
    answer = await client.submit(f"/account/sessions/{sid}/revoke")

    assert answer.headers["location"] == "/account/sessions?notice=device_signed_out"
    assert await reason(sid) == events.ENDED_BY_OWNER
    assert (await other.visit("/dashboard")).headers["location"].startswith("/login")
    assert (await client.visit("/dashboard")).status_code == 200


async def test_signing_out_twice_is_no_error_and_one_event(client: Visitor, person: Person) -> None:
    sid = await device_of(person)

    for _ in range(2):
        answer = await client.submit(f"/account/sessions/{sid}/revoke")
        assert answer.status_code == 303
    assert (await client.visit(f"/account/sessions/{sid}/revoke")).headers["location"] == "/account/sessions"

    ended = [event for event in await queries.of_user(person.id) if event.event == events.SESSION_REVOKED]
    assert len(ended) == 1


async def test_all_others_are_out_and_this_one_goes_on(client: Visitor, person: Person) -> None:
    """v5.0.0-7.4.3, AC-090"""
    others = [await device_of(person) for _ in range(3)]
    another_users = await device_of(await make_user())

    assert "Sign out all other devices?" in (await client.visit("/account/sessions/revoke-others")).text
    answer = await client.submit("/account/sessions/revoke-others")

    assert answer.headers["location"] == "/account/sessions?notice=others_signed_out"
    assert {await reason(sid) for sid in others} == {events.ENDED_BY_OWNER}
    assert await reason(another_users) is None
    assert (await client.visit("/account/sessions")).status_code == 200


async def test_signing_out_this_device_is_a_logout(client: Visitor) -> None:
    sid = UUID(forge.claims((await sign_in(client, await make_user())).access_token)["sid"])

    answer = await client.submit(f"/account/sessions/{sid}/revoke")

    assert answer.headers["location"] == "/login?notice=signed_out"
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert client.cookie("__Host-access") is None
    assert await reason(sid) == events.LOGGED_OUT


# v5.0.0-8.2.2
@pytest.mark.parametrize("which", ["somebody else's", "unknown", "no id"])
async def test_session_that_is_not_ones_own_is_not_found(client: Visitor, person: Person, which: str) -> None:
    """v5.0.0-8.2.2"""
    theirs = await device_of(await make_user())
    sid = {"somebody else's": str(theirs), "unknown": str(db.uuid7()), "no id": "1"}[which]

    assert (await client.visit(f"/account/sessions/{sid}")).status_code == 404
    assert (await client.visit(f"/account/sessions/{sid}/revoke")).status_code == 404
    assert (await client.submit(f"/account/sessions/{sid}/revoke")).status_code == 404
    assert await reason(theirs) is None


async def test_admin_signs_nobody_else_out_here(client: Visitor) -> None:
    await sign_in(client, await make_user(role="admin"))
    theirs = await device_of(await make_user())

    assert (await client.submit(f"/account/sessions/{theirs}/revoke")).status_code == 404
    assert await reason(theirs) is None


async def test_form_of_one_person_signs_out_nobody_as_another(client: Visitor, person: Person) -> None:
    """AC-094"""
    sid = await device_of(person)

    answer = await client.submit(f"/account/sessions/{sid}/revoke", {"as": str(db.uuid7())})

    assert answer.status_code == 409
    assert await reason(sid) is None
