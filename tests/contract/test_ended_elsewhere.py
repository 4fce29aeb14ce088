"""A session that ends while a request of it is answered: a challenge, never an error of ours, in whichever worker."""

import asyncio
import re
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth import cookies
from app.auth.accounts import logout_flow, user_admin
from app.auth.models import session_rows, user_rows
from app.auth.sessions import session_cache
from app.main import route_table
from app.mfa.models import recovery_rows
from tests.support import held
from tests.support.acts import OPEN, Act, asks_the_password, name_of, of_a_role, scene_of, unsafe_and_private
from tests.support.people import make_user, sign_in, start_session
from tests.support.sent import bearer, browser, cookies_set
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio
PAGES = [row for row in route_table() if row["method"] == "GET" and row["permission"] not in OPEN]
ASKING_THE_ROWS = [row for row in PAGES if of_a_role(row) and asks_the_password(row)]


def a_path(row: dict[str, str]) -> str:
    return re.sub(r"\{\w+\}", str(db.uuid7()), row["path"].replace("{action}", "deactivate"))


# v5.0.0-15.4.1, v5.0.0-16.5.1
@pytest.mark.parametrize("row", unsafe_and_private(), ids=name_of)
async def test_double_click_is_no_error_of_ours(app: Any, database: str, row: dict[str, str]) -> None:
    """What the first one ends, the second one finds ended, wherever it has come to meanwhile."""
    _, act = await scene_of(row)

    answers = await asyncio.gather(*(held.answer(app, act) for _ in range(2)))

    assert all(answer.status_code < 500 for answer in answers)
    assert any(answer.status_code < 400 for answer in answers)


async def test_second_click_on_turn_on_leads_to_the_login_and_one_answer_shows_the_codes(
    app: Any, database: str
) -> None:
    (row,) = [row for row in unsafe_and_private() if row["path"] == "/account/second-factor"]
    scene, act = await scene_of(row)

    first, second = sorted(
        await asyncio.gather(*(held.answer(app, act) for _ in range(2))), key=lambda answer: answer.status_code
    )

    assert (first.status_code, second.status_code) == (200, 303)
    assert second.headers["location"].startswith("/login?next=")
    assert cookies_set(second) == []  # the cookies of the first one stay
    kept = sa.select(sa.func.count()).where(recovery_rows.c.user_id == scene.person.id)
    assert await db.fetch_value(kept) == len(set(re.findall(r"(?:[a-z2-7]{6}-){3}[a-z2-7]{6}", first.text)))


@pytest.mark.parametrize("path", ["/account/delete", "/account/password"])
async def test_act_that_finds_its_session_ended_leads_to_the_login(app: Any, database: str, path: str) -> None:
    """Revoked by somebody else, or by the same click a moment before."""
    (row,) = [row for row in unsafe_and_private() if row["path"] == path]
    scene, act = await scene_of(row)

    for wants, status in (("text/html", 303), ("application/json", 401)):
        asked = Act(act.method, act.path, act.data, headers=act.headers | {"Accept": wants})

        async def ends() -> None:
            await logout_flow.logout([scene.token])

        assert (await held.answer(app, asked, ends)).status_code == status


# v5.0.0-15.4.1, v5.0.0-15.4.3
async def test_many_requests_of_one_session_and_its_end_at_once_do_not_wait_for_each_other_for_ever(
    app: Any, database: str
) -> None:
    """Each transaction locks the person's row before the session's, the one that asks as well as the one that ends."""
    (row,) = [row for row in unsafe_and_private() if row["path"] == "/account"]
    (scene, rename), boss = await scene_of(row), await make_user(role="admin")
    sign_out_others = Act("POST", "/account/sessions/revoke-others", headers=rename.headers)

    *answers, _, _ = await asyncio.gather(
        *(held.answer(app, act) for act in [rename, sign_out_others] * 6),
        user_admin.end_sessions(scene.person.id, boss.id),
        logout_flow.logout([scene.token]),
    )

    assert {answer.status_code for answer in answers} == {303}


@pytest.mark.parametrize("action", ["deactivate", "end-sessions"])
async def test_two_admins_who_act_upon_each_other_at_once_do_not_wait_for_ever(
    app: Any, database: str, action: str
) -> None:
    for _ in range(5):
        one, other = await make_user(role="admin"), await make_user(role="admin")
        acts = [
            Act("POST", f"/admin/users/{theirs.id}/{action}", headers=browser(await start_session(own)))
            for own, theirs in ((one, other), (other, one))
        ]

        answers = await asyncio.gather(*(held.answer(app, act) for act in acts))

        assert all(answer.status_code in (303, 403) for answer in answers)
        assert any(answer.headers.get("location", "").startswith("/admin/users/") for answer in answers)


# v5.0.0-7.4.1
@pytest.mark.usefixtures("deaf_worker")
@pytest.mark.parametrize("row", ASKING_THE_ROWS, ids=name_of)
async def test_page_that_asks_the_rows_answers_a_session_that_ended_elsewhere(
    client: Visitor, row: dict[str, str]
) -> None:
    """It was an error of ours: the answer looked at whom authentication had found, not at whom the guard had."""
    person = await make_user(role="admin")
    pair = await sign_in(client, person)
    assert (await client.visit("/admin")).status_code == 200
    await db.execute(sa.update(session_rows).values(revoked_at=db.now(), revoked_for="logout"))

    page = await client.visit(a_path(row))
    client.cookies.clear()
    program = await client.get(a_path(row), headers=bearer(pair) | {"Accept": "application/json"})

    assert page.status_code == 303
    assert page.headers["location"].startswith("/login?next=")  # never to /auth/resume: no refresh will help
    assert program.status_code == 401
    assert program.headers["www-authenticate"] == 'Bearer error="invalid_token"'


# v5.0.0-8.3.2
@pytest.mark.usefixtures("deaf_worker")
@pytest.mark.parametrize("row", ASKING_THE_ROWS, ids=name_of)
async def test_page_of_an_admin_is_shut_to_one_who_was_demoted_elsewhere(client: Visitor, row: dict[str, str]) -> None:
    await sign_in(client, await make_user(role="admin"))
    assert (await client.visit("/admin")).status_code == 200
    await db.execute(sa.update(user_rows).values(role="user"))

    assert (await client.visit(a_path(row))).status_code == 403


# v5.0.0-16.5.1
@pytest.mark.usefixtures("deaf_worker")
@pytest.mark.parametrize("row", PAGES, ids=name_of)
async def test_no_page_fails_over_a_session_that_ended_elsewhere(client: Visitor, row: dict[str, str]) -> None:
    person = await make_user(role="admin")
    await sign_in(client, person)
    await client.visit("/dashboard")
    await db.execute(sa.update(session_rows).values(revoked_at=db.now(), revoked_for="logout"))

    assert (await client.visit(a_path(row))).status_code < 500


# v5.0.0-7.4.3
@pytest.mark.usefixtures("database")
async def test_turning_on_the_second_step_forgets_the_session_that_did_it_at_once(client: Visitor, app: Any) -> None:
    """This worker remembers it, and does not wait for the feed."""
    session_cache.clear()
    (row,) = [row for row in unsafe_and_private() if row["path"] == "/account/second-factor"]
    scene, act = await scene_of(row)
    other = await start_session(scene.person)
    await session_cache.read_invalidations()
    for pair in (scene.pair, other):
        assert (await client.get("/api/auth/me", headers=bearer(pair))).status_code == 200

    done = await held.answer(app, act)

    assert done.status_code == 200
    for pair in (scene.pair, other):
        assert (await client.get("/api/auth/me", headers=bearer(pair))).status_code == 401
    (access,) = [
        line.split(";")[0].partition("=")[2]
        for line in done.headers.get_list("set-cookie")
        if line.startswith(cookies.access_name())
    ]
    assert (await client.get("/api/auth/me", headers={"Authorization": f"Bearer {access}"})).status_code == 200
    session_cache.clear()
