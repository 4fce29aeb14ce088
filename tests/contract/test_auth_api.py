"""/api/auth/* and /api/protected as the contract fixes them."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth.models import session_rows
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import PASSWORD, make_user, sign_in, start_session
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

ACCESS, REFRESH = "__Host-access", "__Host-refresh"
PAIR = {"access_token", "refresh_token", "token_type", "expires_in"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.pattern("login-endpoint")
async def test_login_answers_the_pair_in_the_body_and_sets_no_cookie(client: Visitor) -> None:
    person = await make_user()

    answer = await client.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})

    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == PAIR
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert (await client.get("/api/auth/me", headers=bearer(body["access_token"]))).status_code == 200


# v5.0.0-6.3.8
@pytest.mark.pattern("login-errors")
async def test_wrong_login_is_one_401_for_all(client: Visitor) -> None:
    person, inactive = await make_user(), await make_user(active=False)
    bodies = set()
    for email, password in (
        (person.email, "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
        (inactive.email, PASSWORD),
    ):
        answer = await client.post("/api/auth/login", json={"email": email, "password": password})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        bodies.add(str({k: v for k, v in answer.json().items() if k != "request_id"}))
    assert len(bodies) == 1


# v5.0.0-15.3.5
@pytest.mark.parametrize("password", [{"$ne": ""}, 0, True, None, ["a", "b"], "", 12345678])
async def test_password_of_another_type_is_422_without_an_echo(client: Visitor, password: Any) -> None:
    """v5.0.0-15.3.5"""
    answer = await client.post("/api/auth/login", json={"email": "a@example.com", "password": password})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "password"
    assert "$ne" not in answer.text
    assert "12345678" not in answer.text


# v5.0.0-15.3.3
async def test_unknown_fields_are_422(client: Visitor) -> None:
    answer = await client.post("/api/auth/login", json={"email": "a@example.com", "password": "x", "role": "admin"})

    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"email": "a@example.com", "password": "x"}', "text/plain", 415),
        (b'{"email": "a@example.com", "password": "x"}', None, 415),
        (b"email=a%40example.com&password=x", "application/x-www-form-urlencoded", 415),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"email": "a", "email": "b", "password": "x"}', "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"", "application/json", 422),
        (b'{"email": "a@example.com", "password": "x"}', "application/problem+json", 415),
    ],
)
async def test_body_that_is_no_json_is_refused(
    client: Visitor, body: bytes, content_type: str | None, status: int
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    answer = await client.post("/api/auth/login", content=body, headers=headers)

    assert answer.status_code == status, answer.text


# v5.0.0-15.3.1
@pytest.mark.pattern("protected")
@pytest.mark.pattern("quick-start")
@pytest.mark.parametrize("path", ["/api/auth/me", "/api/protected"])
async def test_who_am_i(client: Visitor, path: str) -> None:
    person = await make_user(name="Ömer Ünlü")
    pair = await start_session(person)

    answer = await client.get(path, headers=bearer(pair.access_token))

    assert answer.json() == {"user_id": str(person.id), "email": person.email, "name": "Ömer Ünlü", "role": "user"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_bearer_scheme_is_read_in_any_case(client: Visitor, scheme: str) -> None:
    pair = await start_session(await make_user())

    assert (
        await client.get("/api/auth/me", headers={"Authorization": f"{scheme} {pair.access_token}"})
    ).status_code == 200


async def test_no_token_and_a_bad_one_are_told_apart_in_the_challenge(client: Visitor) -> None:
    """RFC 6750 section 3.1"""
    none = await client.get("/api/auth/me")
    bad = await client.get("/api/auth/me", headers=bearer("x.y.z"))

    assert (none.status_code, none.headers["www-authenticate"]) == (401, "Bearer")
    assert (bad.status_code, bad.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


@pytest.mark.pattern("middleware")
async def test_bearer_header_decides_and_cookies_are_ignored(client: Visitor) -> None:
    await sign_in(client, await make_user())

    assert (await client.call("GET", "/api/auth/me")).status_code == 200
    for header in ("Bearer x.y.z", "Bearer ", "Bearer"):
        assert (await client.call("GET", "/api/auth/me", headers={"Authorization": header})).status_code == 401, header
    assert (await client.call("GET", "/api/auth/me", headers={"Authorization": "Basic eDp5"})).status_code == 200


# v5.0.0-14.2.1
async def test_of_two_authorization_headers_none_counts(client: Visitor) -> None:
    """Which of them a proxy has looked at nobody knows. The cookies are ignored all the same."""
    good, another = await sign_in(client, await make_user()), await start_session(await make_user())
    for pair in [(good, good), (good, another), (another, good)]:
        twice = [("Authorization", f"Bearer {each.access_token}") for each in pair]

        answer = await client.get("/api/auth/me", headers=[("Accept", "application/json"), *twice])

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_token_in_the_query_or_in_another_cookie_is_nothing(client: Visitor) -> None:
    pair = await start_session(await make_user())
    client.put_cookie("access", pair.access_token)

    assert (await client.get(f"/api/auth/me?access_token={pair.access_token}")).status_code == 401


# v5.0.0-9.2.2
@pytest.mark.pattern("refresh-type-check")
async def test_one_token_is_never_taken_for_the_other(client: Visitor) -> None:
    pair = await start_session(await make_user())

    assert (await client.get("/api/auth/me", headers=bearer(pair.refresh_token))).status_code == 401
    assert (await client.post("/api/auth/refresh", json={"refresh_token": pair.access_token})).status_code == 401


@pytest.mark.pattern("refresh-endpoint")
async def test_refresh_from_the_body_answers_a_new_pair_in_the_body(client: Visitor) -> None:
    pair = await start_session(await make_user())

    answer = await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})

    assert answer.status_code == 200
    assert answer.json().keys() == PAIR
    assert forge.claims(answer.json()["refresh_token"])["gen"] == 2
    assert "set-cookie" not in answer.headers


# v5.0.0-3.3.4, v5.0.0-10.1.1
async def test_refresh_from_the_cookie_never_shows_a_token(client: Visitor) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)

    answer = await client.call("POST", "/api/auth/refresh")

    assert answer.json() == {"token_type": "bearer", "expires_in": 900}
    assert len(answer.headers.get_list("set-cookie")) == 2
    assert forge.claims(client.cookie(REFRESH) or "")["gen"] == 2


async def test_cookie_refresh_with_a_good_access_cookie_does_not_rotate(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    clock.forward(minutes=5)

    answer = await client.call("POST", "/api/auth/refresh")

    assert answer.json() == {"token_type": "bearer", "expires_in": 600}
    assert "set-cookie" not in answer.headers
    assert (await db.fetch_one(sa.select(session_rows.c.generation)))[0] == 1


async def test_cookie_refresh_from_another_site_is_403(client: Visitor) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)

    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert (await client.call("POST", "/api/auth/refresh", headers=headers)).status_code == 403
    assert (await client.post("/api/auth/refresh", headers={"Origin": "null"})).status_code == 403
    assert (await client.post("/api/auth/refresh")).status_code == 403  # no header at all, but our cookies
    assert (await db.fetch_one(sa.select(session_rows.c.generation)))[0] == 1


async def test_failed_refresh_is_invalid_grant_and_deletes_no_cookie(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)
    clock.forward(days=8)

    answer = await client.call("POST", "/api/auth/refresh")

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_grant"
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("worker_too", [True, False])
async def test_refresh_goes_on_when_the_databases_clock_was_set_back(
    client: Visitor, clock: Clock, worker_too: bool
) -> None:
    pair = await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)
    clock.forward(minutes=-10)
    clock.set_worker_apart(minutes=0 if worker_too else 10)

    resumed = await client.visit("/auth/resume?next=/account")
    answer = await client.call("POST", "/api/auth/refresh", json={"refresh_token": pair.refresh_token})

    assert (resumed.status_code, resumed.headers["location"]) == (303, "/account")
    assert answer.status_code == 200
    assert (await client.get("/api/auth/me", headers=bearer(answer.json()["access_token"]))).status_code == 200
    assert (await client.visit("/account")).status_code == 200


@pytest.mark.parametrize("where", ["body", "cookie"])
async def test_stale_refresh_is_409_and_reuse_when_retried(client: Visitor, clock: Clock, where: str) -> None:
    pair = await sign_in(client, await make_user())
    client.drop_cookie(ACCESS)
    client.drop_cookie(REFRESH)
    fresh = (await client.post("/api/auth/refresh", json={"refresh_token": pair.refresh_token})).json()
    await client.get("/api/auth/me", headers=bearer(fresh["access_token"]))
    clock.forward(seconds=60)
    if where == "cookie":
        client.put_cookie(REFRESH, pair.refresh_token)
    body = {"refresh_token": pair.refresh_token} if where == "body" else None

    stale = await client.call("POST", "/api/auth/refresh", json=body)
    retried = await client.call("POST", "/api/auth/refresh", json=body, headers={"X-Refresh-Retry": "1"})

    assert (stale.status_code, stale.json()["error"]) == (409, "refresh_stale")
    assert (retried.status_code, retried.json()["error"]) == (401, "invalid_grant")
    assert (await client.get("/api/auth/me", headers=bearer(fresh["access_token"]))).status_code == 401
    row = await db.fetch_one(sa.select(session_rows))
    assert row.revoked_for == events.REUSED


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"refresh_token": None}, 422),
        ({"refresh_token": 7}, 422),
        ({"refresh_token": "x"}, 401),
        ({"refresh_token": ""}, 401),
        ({}, 422),
        ({"refresh_token": "x", "user_id": 1}, 422),
        ([], 422),
    ],
)
async def test_odd_refresh_bodies(client: Visitor, body: Any, status: int) -> None:
    assert (await client.post("/api/auth/refresh", json=body)).status_code == status


async def test_refresh_token_in_query_or_form_does_not_count(client: Visitor) -> None:
    """v5.0.0-14.2.1; the page takes it as a parameter."""
    pair = await start_session(await make_user())

    assert (await client.post(f"/api/auth/refresh?refresh_token={pair.refresh_token}")).status_code == 401
    assert (await client.post("/api/auth/refresh", data={"refresh_token": pair.refresh_token})).status_code == 415
    assert (await db.fetch_one(sa.select(session_rows.c.generation)))[0] == 1


@pytest.mark.parametrize("how", ["body", "bearer", "cookie"])
async def test_logout_is_204_and_ends_the_session(client: Visitor, how: str) -> None:
    pair = await sign_in(client, await make_user())
    if how != "cookie":
        client.drop_cookie(ACCESS)
        client.drop_cookie(REFRESH)
    body = {"refresh_token": pair.refresh_token} if how == "body" else None
    headers = bearer(pair.access_token) if how == "bearer" else {}

    for _ in range(2):
        answer = await client.call("POST", "/api/auth/logout", json=body, headers=headers)
        assert answer.status_code == 204
        assert answer.content == b""

    assert (await db.fetch_one(sa.select(session_rows))).revoked_for == events.LOGGED_OUT
    assert (await client.get("/api/auth/me", headers=bearer(pair.access_token))).status_code == 401


async def test_body_never_overrides_who_asks(client: Visitor) -> None:
    """The framework merges a JSON body into the handler's arguments, on GET too."""
    person, other = await make_user(), await make_user()
    pair = await start_session(person)

    answer = await client.request(
        "GET",
        "/api/auth/me",
        json={"request": "x", "user_id": str(other.id), "data": {}},
        headers=bearer(pair.access_token),
    )

    assert answer.json()["user_id"] == str(person.id)


async def test_jwks_is_empty_under_hs256(client: Visitor) -> None:
    assert (await client.get("/.well-known/jwks.json")).json() == {"keys": []}
