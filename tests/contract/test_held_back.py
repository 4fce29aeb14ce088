"""A request held back over the end of its session changes and reveals nothing: every route that writes or exports.

Its head is there while everything is well, its body when it no longer is. The news has not reached this worker either:
it remembers the session as it was.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import permissions
from app.auth.accounts import login_flow, logout_flow, user_admin
from app.auth.models import user_rows
from app.auth.sessions import session_cache
from app.db import owned_rows
from app.db.database import _Transaction as OrmTransaction
from app.db.pool import Pool
from app.settings import get_settings
from app.web import csv_export
from tests.support import held
from tests.support.acts import ACTS, Scene, asks_the_password, name_of, of_a_role, rows, scene_of, unsafe_and_private
from tests.support.clock import Clock
from tests.support.people import make_user
from tests.support.sent import cookies_set

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("deaf_worker")]
ROUTES = unsafe_and_private()
STREAMED = [row for row in ROUTES if row["path"].endswith("/export")]


def ids(row: dict[str, str]) -> str:
    return name_of(row)


async def boss() -> Any:
    return (await make_user(role="admin")).id


async def signed_out(scene: Scene) -> None:
    await logout_flow.logout([scene.token])


async def ended_by_an_admin(scene: Scene) -> None:
    await user_admin.end_sessions(scene.person.id, await boss())


async def deactivated(scene: Scene) -> None:
    await user_admin.change(scene.person.id, await boss(), is_active=False)


async def replaced(scene: Scene) -> None:
    """Another tab has typed the password again."""
    assert await login_flow.step_up(scene.person.id, scene.token.sid, scene.person.password)


async def demoted(scene: Scene) -> None:
    await boss()
    await db.execute(sa.update(user_rows).where(user_rows.c.id == scene.person.id).values(role="user"))


ENDINGS = [signed_out, ended_by_an_admin, deactivated, replaced]


def test_every_route_that_changes_something_has_its_act() -> None:
    assert sorted(map(name_of, ROUTES)) == sorted(ACTS)


async def held_back(
    app: Any, row: dict[str, str], ending: Callable[[Scene], Awaitable[None]]
) -> tuple[Scene, held.Answer, list[str]]:
    """The answer, and the rows that are there although they were not when it had ended."""
    scene, act = await scene_of(row)
    await warm(scene)
    before: dict[str, set[str]] = {}

    async def meanwhile() -> None:
        await ending(scene)
        before.update(await rows())

    answer = await held.answer(app, act, meanwhile)
    after = await rows()
    return scene, answer, [f"{name} {row}" for name in after for row in after[name] ^ before[name]]


async def warm(scene: Scene) -> None:
    """The session has been met, and its generation noted."""
    assert await session_cache.load(scene.token, db.utcnow())


def reveals_nothing(scene: Scene, answer: held.Answer) -> None:
    for secret in (scene.person.email, scene.person.name, scene.victim.email):
        assert secret not in answer.text
    assert cookies_set(answer) == []


# v5.0.0-7.4.1
@pytest.mark.parametrize("row", ROUTES, ids=ids)
async def test_the_same_request_does_something_while_the_session_lives(app: Any, row: dict[str, str]) -> None:
    """The test of the test."""

    async def nothing(_: Scene) -> None:
        return

    _, answer, changed = await held_back(app, row, nothing)

    assert answer.status_code in (200, 201, 204, 303)
    assert not answer.headers.get("location", "").startswith(("/login?next", "/step-up"))
    assert changed
    assert answer.whole
    assert (answer.parts > 1) is (row in STREAMED)


# v5.0.0-7.4.1, v5.0.0-7.4.2, v5.0.0-7.4.5, v5.0.0-8.3.2
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("row", ROUTES, ids=ids)
async def test_held_back_over_the_end_of_its_session_it_does_nothing(
    app: Any, row: dict[str, str], ending: Callable[[Scene], Awaitable[None]]
) -> None:
    scene, answer, changed = await held_back(app, row, ending)

    is_api = row["path"].startswith("/api/")
    assert answer.status_code == (401 if is_api else 303)
    if is_api:
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    else:
        assert answer.headers["location"].startswith("/login?next=")
    reveals_nothing(scene, answer)
    assert changed == []


# v5.0.0-8.3.2
@pytest.mark.parametrize("row", [row for row in ROUTES if of_a_role(row)], ids=ids)
async def test_held_back_over_a_demotion_it_is_refused(app: Any, row: dict[str, str]) -> None:
    scene, answer, changed = await held_back(app, row, demoted)

    assert answer.status_code == 403
    assert scene.victim.email not in answer.text
    written = [change for change in changed if not change.startswith("throttle_counters ")]
    assert all(events.ACCESS_DENIED in change for change in written)


# v5.0.0-7.5.1
@pytest.mark.parametrize("row", [row for row in ROUTES if asks_the_password(row)], ids=ids)
async def test_held_back_until_the_password_was_typed_too_long_ago_it_asks_for_it(
    app: Any, clock: Clock, row: dict[str, str]
) -> None:
    async def time_passes(_: Scene) -> None:
        clock.forward(seconds=get_settings().step_up_seconds + 1)

    scene, answer, changed = await held_back(app, row, time_passes)

    if row["path"].startswith("/api/"):
        assert answer.status_code == 401
        assert answer.json()["error"] == "insufficient_user_authentication"
    else:
        assert answer.headers["location"].startswith("/step-up?next=")
    reveals_nothing(scene, answer)
    assert changed == []


@pytest.mark.parametrize(
    "row", [row for row in ROUTES if row["path"] not in permissions.OPEN_DURING_PASSWORD_CHANGE], ids=ids
)
async def test_held_back_until_an_admin_wants_a_new_password_it_does_nothing(app: Any, row: dict[str, str]) -> None:
    async def wanted(scene: Scene) -> None:
        await user_admin.require_new_password(scene.person.id, await boss())

    scene, answer, changed = await held_back(app, row, wanted)

    assert answer.status_code in (303, 403)
    reveals_nothing(scene, answer)
    assert changed == []


# v5.0.0-7.4.1, v5.0.0-7.5.3
@pytest.mark.parametrize("ending", [*ENDINGS, demoted])
@pytest.mark.parametrize("row", STREAMED, ids=ids)
async def test_answer_that_is_read_slowly_is_cut_off_at_its_next_page(
    app: Any, monkeypatch: pytest.MonkeyPatch, row: dict[str, str], ending: Callable[[Scene], Awaitable[None]]
) -> None:
    """What was read while the session lived may still arrive; nothing is read for it after that."""
    for module, name in ((owned_rows, "PAGE"), (csv_export, "CHUNK")):
        monkeypatch.setattr(module, name, 1)
    for _ in range(3):
        await events.record(events.LOGIN, user_id=(await make_user()).id)
    scene, act = await scene_of(row)
    ends = ending is not demoted or of_a_role(row)

    async def reading() -> None:
        await ending(scene)
        async with db.transaction() as tx:
            for _ in range(5):
                await events.record(events.NAME_CHANGED, tx=tx, user_id=scene.person.id, detail="too late")
        await make_user(email="too.late@example.com")

    answer = await held.answer(app, act, reading=reading)

    assert answer.status_code == 200
    assert answer.whole is not ends
    if ends:
        assert "too late" not in answer.text
        assert "too.late" not in answer.text


# v5.0.0-15.4.2
@pytest.mark.parametrize("ending", [signed_out, deactivated])
@pytest.mark.parametrize("row", ROUTES, ids=ids)
async def test_session_that_ends_when_the_guard_has_let_it_in_ends_what_it_writes(
    app: Any, monkeypatch: pytest.MonkeyPatch, row: dict[str, str], ending: Callable[[Scene], Awaitable[None]]
) -> None:
    """Each transaction asks: here everything ends just before the first one, and nobody sees it coming."""
    scene, act = await scene_of(row)
    await warm(scene)
    after = between_the_permission_and_the_first_transaction(monkeypatch, lambda: ending(scene))

    answer = await held.answer(app, act)

    assert answer.status_code == (401 if row["path"].startswith("/api/") else 303)
    assert answer.headers.get("location", "/login?next=").startswith("/login?next=")
    reveals_nothing(scene, answer)
    assert await rows() == after


def between_the_permission_and_the_first_transaction(
    monkeypatch: pytest.MonkeyPatch, ending: Callable[[], Awaitable[None]]
) -> dict[str, set[str]]:
    """Does it when the first transaction with a condition is about to begin. The rows after it will be in the dict."""
    connection, at_once, start = Pool.connection, db.run_in_transaction, OrmTransaction.start
    after: dict[str, set[str]] = {}

    async def end() -> None:
        await ending()
        after.update(await rows())

    async def first() -> None:
        if db.conditions.for_writes() and not after:
            await held.elsewhere(end)

    @asynccontextmanager
    async def connected(self: Pool) -> AsyncIterator[Any]:
        await first()
        async with connection(self) as made:
            yield made

    async def done_at_once(work: Any) -> Any:
        await first()
        return await at_once(work)

    async def started(self: OrmTransaction, *arguments: Any, **options: Any) -> None:
        await first()
        await start(self, *arguments, **options)

    monkeypatch.setattr(OrmTransaction, "start", started)
    monkeypatch.setattr(Pool, "connection", connected)
    monkeypatch.setattr(db, "run_in_transaction", done_at_once)
    return after
