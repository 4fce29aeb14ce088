"""Who may do what: every route and method, as five kinds of visitor, over HTTP."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth import accounts
from app.auth.models import user_rows
from app.main import create_app, route_table
from tests.support.people import make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

# Public on purpose. Whoever adds a route without a guard finds this list in the way.
PUBLIC = {
    "/", "/login", "/logout", "/auth/resume", "/healthz", "/.well-known/jwks.json",
    "/api/auth/login", "/api/auth/refresh", "/api/auth/logout",
}  # fmt: skip
REFUSED = {"anonymous": 401, "deactivated": 401, "user": 403, "demoted": 403}


def test_public_routes_are_the_short_list() -> None:
    assert {row["path"] for row in route_table() if row["guard"] == "Public"} == PUBLIC


def test_route_without_a_guard_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is public because somebody forgot."""
    from ravyn import Gateway, get

    from app.home import pages

    @get()
    async def forgotten() -> Any:
        return None

    monkeypatch.setattr(pages, "route_patterns", [*pages.route_patterns, Gateway("/forgotten", handler=forgotten)])

    with pytest.raises(RuntimeError, match="/forgotten names no guard"):
        create_app()


@pytest.mark.parametrize(
    "row", [row for row in route_table() if row["guard"] != "Public"], ids=lambda r: " ".join(r.values())
)
@pytest.mark.parametrize("who", ["anonymous", "deactivated", "user", "demoted", "admin"])
async def test_each_visitor_gets_what_the_guard_says(client: Visitor, who: str, row: dict[str, str]) -> None:
    victim = await make_user()
    await visit_as(client, who)
    path = row["path"].replace("{user_id}", str(victim.id)).replace("{note_id}", str(db.uuid7()))
    path = path.replace("{action}", "deactivate")

    answer = await client.call(row["method"], path)

    if row["guard"] == "SignedIn" and who in ("user", "demoted", "admin"):
        assert answer.status_code not in (401, 403)
    elif who == "admin":
        assert answer.status_code in (200, 303)
    else:
        assert answer.status_code == REFUSED[who], answer.text
    changed = row["method"] == "POST" and row["path"].startswith("/admin") and who == "admin"
    active = await db.fetch_value(sa.select(user_rows.c.is_active).where(user_rows.c.id == victim.id))
    assert active is not changed


async def visit_as(client: Visitor, who: str) -> None:
    if who == "anonymous":
        return
    person = await make_user(role="admin" if who in ("admin", "demoted") else "user")
    await sign_in(client, person)
    if who == "deactivated":
        assert await accounts.deactivate(person.id, (await make_user(role="admin")).id)
    if who == "demoted":
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(role="user"))
