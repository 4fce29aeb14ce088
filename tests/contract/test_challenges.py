"""What an anonymous or outdated visitor gets: /login, /auth/resume, the bounce, or a 401."""

from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import session_rows, user_rows
from app.auth.sessions import revocation
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import make_user, sign_in
from tests.support.sent import cookies_set
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

ACCESS, REFRESH = "__Host-access", "__Host-refresh"
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}


async def generation() -> int:
    return int((await db.fetch_one(sa.select(session_rows.c.generation)))[0])


async def name_of(person: UUID) -> str:
    return str(await db.fetch_value(sa.select(user_rows.c.name).where(user_rows.c.id == person)))


async def go_through(client: Visitor, path: str, method: str = "GET", **options: object) -> list[str]:
    """Follow redirects as a browser does; the statuses and addresses on the way."""
    way = []
    for _ in range(10):
        send = client.visit if method == "GET" else client.submit
        answer = await send(path, **(options if method == "POST" else {}))
        way.append(f"{answer.status_code} {path.split('?')[0]}")
        if answer.status_code not in (303, 307):
            return way
        method = "GET" if answer.status_code == 303 else method
        path = answer.headers["location"]
    return [*way, "loop"]


@pytest.mark.parametrize("path", ["/dashboard", "/account?q=a%20b&cursor=", "/admin/users"])
async def test_anonymous_page_goes_to_login_and_back(client: Visitor, path: str) -> None:
    answer = await client.visit(path)

    assert answer.status_code == 303
    assert (await client.get(answer.headers["location"])).status_code == 200
    assert str(client.build_request("GET", answer.headers["location"]).url.params["next"]) == path


async def test_client_that_reads_no_html_gets_a_401(client: Visitor) -> None:
    answer = await client.get("/dashboard", headers={"Accept": "application/json"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_expired_access_token_renews_and_comes_back(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    clock.forward(minutes=16)

    way = await go_through(client, "/account?q=x")

    assert way == ["303 /account", "303 /auth/resume", "200 /account"]
    assert await generation() == 2


async def test_access_cookie_that_the_browser_dropped_renews_too(client: Visitor) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)

    assert await go_through(client, "/dashboard") == ["303 /dashboard", "303 /auth/resume", "200 /dashboard"]


async def test_form_survives_an_expired_access_token(client: Visitor, clock: Clock) -> None:
    """R9: one effect, body intact."""
    person = await make_user()
    await sign_in(client, person)
    clock.forward(minutes=16)

    first = await client.submit("/account", {"name": "Typed for an hour & kept"})
    assert (first.status_code, first.headers["location"]) == (307, "/auth/resume?next=%2Faccount")
    second = await client.submit(first.headers["location"], {"name": "Typed for an hour & kept"})
    assert (second.status_code, second.headers["location"]) == (307, "/account")
    third = await client.submit(second.headers["location"], {"name": "Typed for an hour & kept"})

    assert third.status_code == 303
    assert await name_of(person.id) == "Typed for an hour & kept"


async def test_form_without_any_session_goes_to_login_with_a_notice(client: Visitor) -> None:
    """Never 307: the password page must not receive the form."""
    answer = await client.submit("/account", {"name": "x"}, headers={"Referer": "https://testserver/account/email?a=1"})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Faccount%2Femail%3Fa%3D1&notice=form_not_saved"
    assert "not saved" in (await client.visit(answer.headers["location"])).text


# v5.0.0-3.7.2
@pytest.mark.parametrize("referer", ["https://evil.example/x", "https://testserver.evil.example/x", "nonsense", ""])
async def test_foreign_referer_is_not_followed(client: Visitor, referer: str) -> None:
    answer = await client.submit("/account", {"name": "x"}, headers={"Referer": referer})

    assert answer.headers["location"] == "/login?next=%2Fdashboard&notice=form_not_saved"


async def lands_at(client: Visitor, path: str = "/dashboard", site: str = "same-origin", **headers: str) -> str:
    return str((await client.visit(path, site=site, headers=headers)).headers["location"])


async def signs_in(client: Visitor) -> None:
    person = await make_user()
    answer = await client.submit("/login", {"email": person.email, "password": person.password, "next": "/dashboard"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")


async def test_first_page_after_the_right_password_without_a_cookie_says_that_cookies_are_needed(
    client: Visitor,
) -> None:
    await signs_in(client)
    client.cookies.clear()  # as a browser does that keeps none

    assert await lands_at(client) == "/login?next=%2Fdashboard&notice=cookies"
    assert "did not store our cookies" in (await client.visit("/login?next=%2Fdashboard&notice=cookies")).text


async def test_without_fetch_metadata_the_referer_tells_the_same(client: Visitor) -> None:
    """Plain http in the network: browsers send no Sec-Fetch-Site there."""
    await signs_in(client)
    client.cookies.clear()

    assert "notice=cookies" in await lands_at(client, site="", Referer="https://testserver/login")


async def test_who_was_signed_in_and_lost_the_cookies_later_is_told_nothing_wrong(client: Visitor) -> None:
    await signs_in(client)
    assert (await client.visit("/dashboard")).status_code == 200
    client.cookies.clear()

    assert await lands_at(client) == "/login?next=%2Fdashboard"


async def test_browser_that_keeps_the_cookie_of_its_own_keeps_cookies(client: Visitor) -> None:
    await signs_in(client)
    client.drop_cookie(ACCESS)
    client.drop_cookie(REFRESH)

    assert await lands_at(client) == "/login?next=%2Fdashboard"


@pytest.mark.parametrize(
    ("site", "headers"),
    [("none", {}), ("", {}), ("same-origin", {"User-Agent": "another browser"}), ("cross-site", {})],
)
async def test_other_visit_without_a_cookie_is_an_ordinary_one(
    client: Visitor, site: str, headers: dict[str, str]
) -> None:
    await signs_in(client)
    client.cookies.clear()

    answer = await client.visit("/dashboard", site=site, headers=headers)

    assert "notice" not in answer.headers.get("location", "")


async def test_a_minute_later_the_reason_is_another_one(client: Visitor, clock: Clock) -> None:
    await signs_in(client)
    client.cookies.clear()
    clock.forward(minutes=2)

    assert await lands_at(client) == "/login?next=%2Fdashboard"


async def test_session_known_to_be_over_goes_to_login_never_to_resume(client: Visitor) -> None:
    person = await make_user()
    pair = await sign_in(client, person)
    async with db.transaction() as tx:
        await revocation.revoke_all(person.id, "logout", tx=tx, now=db.utcnow())

    answer = await client.visit("/dashboard")

    assert answer.headers["location"] == "/login?next=%2Fdashboard"
    assert pair.access_token == client.cookie(ACCESS)  # nothing was deleted


async def test_ended_refresh_token_leads_to_login_and_deletes_no_cookie(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    clock.forward(days=8)

    answer = await client.visit("/auth/resume?next=/account")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Faccount")
    assert cookies_set(answer) == ["__Host-ended"]


@pytest.mark.parametrize("known", [True, False])
async def test_browser_that_was_signed_in_drops_the_pages_it_keeps(client: Visitor, clock: Clock, known: bool) -> None:
    """Any cookie that changes does that; a visitor who never was signed in gets none."""
    if known:
        await sign_in(client, await make_user())
        clock.forward(days=8)
        client.drop_cookie(ACCESS)
        client.drop_cookie(REFRESH)
        client.put_cookie("__Host-device", "of an earlier sign-in")

    answer = await client.visit("/account")

    assert answer.headers["location"] == "/login?next=%2Faccount"
    assert cookies_set(answer) == (["__Host-ended"] if known else [])


async def test_late_tab_does_not_rotate_again(client: Visitor) -> None:
    """Without this check the model of rotation.md lost nearly every innocent."""
    await sign_in(client, await make_user())

    answer = await client.visit("/auth/resume?next=/account")

    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "set-cookie" not in answer.headers
    assert await generation() == 1


# v5.0.0-3.5.3
async def test_head_never_rotates(client: Visitor) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)

    answer = await client.head("/auth/resume?next=/account", headers={"Accept": "text/html"})

    assert answer.status_code == 303
    assert await generation() == 1


# v5.0.0-7.6.2
@pytest.mark.parametrize(
    ("site", "dest"),
    [("cross-site", "image"), ("same-site", "image"), ("same-site", "iframe"), ("cross-site", "empty")],
)
async def test_embedding_elsewhere_never_rotates(client: Visitor, site: str, dest: str) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)

    await client.visit("/auth/resume?next=/account", site=site, headers={"Sec-Fetch-Dest": dest})

    assert await generation() == 1


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_stale_cookie_is_asked_again_once_and_then_reported(client: Visitor, clock: Clock, method: str) -> None:
    """R12 over HTTP: an innocent tab comes back with the new cookie, a stolen cookie jar with the old one."""
    old = await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)
    await go_through(client, "/dashboard")
    newest = client.cookie(REFRESH)
    clock.forward(seconds=60)
    client.drop_cookie(ACCESS)
    client.put_cookie(REFRESH, old.refresh_token)
    send = client.visit if method == "GET" else client.submit

    asked = await send("/auth/resume?next=/account")
    assert asked.status_code == (303 if method == "GET" else 307)
    assert asked.headers["location"].startswith("/auth/resume?next=%2Faccount&again=")
    assert "set-cookie" not in asked.headers
    stale = await send(asked.headers["location"])

    assert stale.status_code == 303
    assert stale.headers["location"].startswith("/login?next=")
    assert cookies_set(stale) == (["__Host-ended"] if method == "GET" else [])
    client.put_cookie(REFRESH, newest or "")
    assert (await client.visit("/auth/resume?next=/account")).headers["location"] == "/login?next=%2Faccount"


async def test_innocent_tab_comes_back_with_the_new_cookie(client: Visitor, clock: Clock) -> None:
    old = await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)
    await go_through(client, "/dashboard")
    access, refresh = client.cookie(ACCESS), client.cookie(REFRESH)
    clock.forward(seconds=60)
    client.drop_cookie(ACCESS)
    client.put_cookie(REFRESH, old.refresh_token)

    asked = await client.visit("/auth/resume?next=/account")
    client.put_cookie(ACCESS, access or "")
    client.put_cookie(REFRESH, refresh or "")

    assert (await client.visit(asked.headers["location"])).headers["location"] == "/account"


async def test_cookies_that_never_stick_end_the_loop_at_login(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    places = []
    for _ in range(6):
        client.drop_cookie(ACCESS)
        clock.forward(seconds=1)
        places.append((await client.visit("/auth/resume?next=/dashboard")).headers["location"])

    assert "/login?next=%2Fdashboard&notice=cookies" in places
    assert places[:4] == ["/dashboard"] * 4


async def test_link_from_another_site_is_bounced_and_then_signed_in(client: Visitor) -> None:
    """SameSite=Strict kept the cookies at home; the page that reloads itself brings them."""
    bounce = await client.visit("/account?q=x", site="cross-site")

    assert bounce.status_code == 200
    assert 'http-equiv="refresh"' in bounce.text
    assert 'url=/account?q=x"' in bounce.text
    assert "<script" not in bounce.text
    assert bounce.headers["cache-control"] == "no-store"
    await sign_in(client, await make_user())
    assert (await client.visit("/account?q=x", site="same-origin")).status_code == 200


async def test_only_navigations_are_bounced(client: Visitor) -> None:
    for headers in ({"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, {"Sec-Fetch-Dest": "iframe"}):
        answer = await client.visit("/account", site="cross-site", headers=headers)

        assert answer.status_code == 303


async def test_unknown_page_is_404_for_everybody(client: Visitor) -> None:
    assert (await client.visit("/nowhere", site="cross-site")).status_code == 404


async def test_form_opened_as_somebody_else_does_nothing(client: Visitor) -> None:
    """A opens a form, B signs in in another tab, the form of A is posted (OWASP CSRF)."""
    first, second = await make_user(), await make_user()
    await sign_in(client, second)

    answer = await client.submit("/account", {"name": "Meant for A", "as": str(first.id)})

    assert answer.status_code == 409
    assert await name_of(first.id) == first.name
    assert await name_of(second.id) == second.name


# v5.0.0-8.2.1
async def test_user_is_forbidden_where_admins_go(client: Visitor) -> None:
    await sign_in(client, await make_user())
    victim = await make_user()

    for path in ("/admin/users", f"/admin/users/{victim.id}/deactivate"):
        assert (await client.visit(path)).status_code == 403
    assert (await client.submit(f"/admin/users/{victim.id}/deactivate")).status_code == 403


async def test_pair_in_the_jar_of_a_forger_is_refused(client: Visitor) -> None:
    pair = await sign_in(client, await make_user())
    client.put_cookie(ACCESS, pair.refresh_token)  # one for the other (RFC 8725 section 3.11)
    client.put_cookie(REFRESH, pair.access_token)

    assert (await go_through(client, "/dashboard"))[-1] == "200 /login"
    claims = forge.claims(pair.access_token)
    assert claims["token_type"] == "access"
