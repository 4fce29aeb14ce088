"""People: the list, and what an admin may do to others and not to oneself."""

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.models import session_rows, user_rows
from tests.support.people import make_user, sign_in, start_session
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


async def is_active(user_id: object) -> bool:
    return bool(await db.fetch_value(sa.select(user_rows.c.is_active).where(user_rows.c.id == user_id)))


async def test_list_shows_people_and_finds_them(client: Visitor) -> None:
    await sign_in(client, await make_user(role="admin", name="Ada Admin"))
    await make_user(name="Zoë Zuse", email="zoe@example.org")

    everybody = (await client.visit("/admin/users")).text
    by_name = (await client.visit("/admin/users?q=ZO%C3%8B")).text
    by_address = (await client.visit("/admin/users?q=ZOE@example")).text

    assert "Zoë Zuse" in everybody
    assert "Ada Admin" in everybody
    for found in (by_name, by_address):
        assert "zoe@example.org" in found
        assert "Ada Admin" not in found.split("<main")[1]


async def test_deactivate_ends_the_persons_sessions_and_can_be_undone(client: Visitor) -> None:
    admin, victim = await make_user(role="admin"), await make_user()
    await sign_in(client, admin)
    await start_session(victim)

    done = await client.submit(f"/admin/users/{victim.id}/deactivate")

    assert done.headers["location"] == "/admin/users?notice=user_deactivated"
    assert not await is_active(victim.id)
    row = await db.fetch_one(sa.select(session_rows).where(session_rows.c.user_id == victim.id))
    assert row.revoked_for == events.DEACTIVATED
    event = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == events.USER_DEACTIVATED))
    assert (event.user_id, event.actor_id) == (victim.id, admin.id)
    await client.submit(f"/admin/users/{victim.id}/reactivate")
    assert await is_active(victim.id)


async def test_end_sessions_leaves_the_account_open(client: Visitor) -> None:
    await sign_in(client, await make_user(role="admin"))
    victim = await make_user()
    for _ in range(3):
        await start_session(victim)

    await client.submit(f"/admin/users/{victim.id}/end-sessions")

    rows = await db.fetch_all(sa.select(session_rows).where(session_rows.c.user_id == victim.id))
    assert {row.revoked_for for row in rows} == {events.ENDED_BY_ADMIN}
    assert await is_active(victim.id)


@pytest.mark.parametrize("action", ["deactivate", "reactivate", "end-sessions"])
async def test_nobody_does_it_to_oneself(client: Visitor, action: str) -> None:
    admin = await make_user(role="admin")
    await sign_in(client, admin)

    assert (await client.visit(f"/admin/users/{admin.id}/{action}")).status_code == 409
    assert (await client.submit(f"/admin/users/{admin.id}/{action}")).status_code == 409
    assert await is_active(admin.id)


@pytest.mark.parametrize("path", ["{id}/promote", "{id}/deactivate/now", "1/deactivate", "x/end-sessions"])
async def test_unknown_action_or_person_is_404(client: Visitor, path: str) -> None:
    await sign_in(client, await make_user(role="admin"))
    victim = await make_user()

    assert (await client.visit(f"/admin/users/{path.replace('{id}', str(victim.id))}")).status_code == 404


async def test_refused_visitor_is_recorded(client: Visitor) -> None:
    """v5.0.0-16.3.2"""
    person = await make_user()
    await sign_in(client, person)

    await client.visit("/admin/users")

    event = await db.fetch_one(sa.select(event_rows).where(event_rows.c.event == events.ACCESS_DENIED))
    assert event.actor_id == person.id
