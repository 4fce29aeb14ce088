"""A copy of the access cookie acts for its owner while the session lives. What it makes must not outlive that.

Each route that may change something says here why it does not help an attacker with the copy alone: without password,
code, passkey, mailbox or another cookie. Each is tried with what such an attacker can send, minutes after the owner's
sign-in, when nobody is asked to confirm anything.
"""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from app import db, main
from app.admin import actions
from app.audit.models import event_rows
from app.auth import cookies, redirects
from app.auth.models import link_rows, session_rows, user_rows
from app.auth.sessions import reuse_review
from app.mfa.models import authenticator_rows, passkey_rows, recovery_rows
from app.web.same_origin import SAFE
from tests.support.acts import ACTS, LOOKS, Scene, name_of, of_a_role, of_features
from tests.support.device import Device
from tests.support.people import make_user, start_session
from tests.support.phone import with_a_phone
from tests.support.sent import bearer, browser
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

PROOF = "asks in the form for the password (and a code), or a passkey"
ANONYMOUS = "does not look at who is signed in: the copy gives nothing that an anonymous client has not"
OTHER = "takes another secret: the refresh cookie, a ticket, a mailed link, a passkey, a challenge of the sign-in"
ENDS = "only ends or takes away; the owner signs in and has it back, or adds it again"
WORDS = "writes words of the account's own, which open nothing"
READS = "hands out what the session may read anyway"
EMAIL = "sends an e-mail to the address that the account in question has"

WHY = {
    "POST /login": ANONYMOUS,
    "POST /login/code": OTHER,
    "POST /login/passkey": OTHER,
    "POST /logout": ENDS,
    "POST /step-up": PROOF,
    "POST /step-up/passkey": PROOF,
    "POST /register": ANONYMOUS,
    "POST /verify-email": OTHER,
    "POST /verify-email/resend": ANONYMOUS,
    "POST /forgot-password": EMAIL,
    "POST /reset-password": OTHER,
    "POST /undo-email-change": OTHER,
    "POST /auth/device-session": OTHER,
    "POST /auth/device-session/refresh": OTHER,
    **{f"{method} /auth/resume": OTHER for method in ("POST", "PUT", "PATCH", "DELETE")},
    "POST /account": WORDS,
    "POST /account/password": PROOF,
    "POST /account/email": PROOF,
    "POST /account/delete": ENDS,
    "POST /account/export": READS,
    "POST /account/sessions/revoke-others": ENDS,
    "POST /account/sessions/{sid}/revoke": ENDS,
    "POST /account/sessions/{sid}/answer": PROOF,
    "POST /account/passkeys": PROOF,
    "POST /account/passkeys/{passkey_id}/remove": ENDS,
    "POST /account/passkeys/offer": OTHER,
    "POST /account/passkeys/offer/decline": WORDS,
    "POST /account/second-factor": PROOF,
    "POST /account/second-factor/off": PROOF,
    "POST /account/second-factor/recovery-codes": PROOF,
    "POST /account/second-factor/recovery-codes/saved": OTHER,
    "POST /admin/users/new": PROOF,
    "POST /admin/users/{user_id}/edit": PROOF,
    "POST /admin/users/{user_id}/sessions/{session_id}/end": ENDS,
    "POST /admin/users/{user_id}/{action}": "each action for itself: see ACTIONS",
    "POST /admin/users/export": READS,
    "POST /admin/audit/export": READS,
    "POST /admin/mail/{email_id}/try-again": EMAIL,
    "POST /api/auth/login": ANONYMOUS,
    "POST /api/auth/login/code": OTHER,
    "POST /api/auth/refresh": OTHER,
    "POST /api/auth/logout": ENDS,
    "POST /api/admin/users": PROOF,
    "PATCH /api/admin/users/{user_id}": PROOF,
    "POST /api/admin/users/{user_id}/sessions/{session_id}/end": ENDS,
    "POST /api/admin/users/{user_id}/{action}": "each action for itself: see ACTIONS",
    **of_features("WHY"),
}
ACTIONS = {
    "deactivate": ENDS,
    "reactivate": PROOF,
    "end-sessions": ENDS,
    "send-link": EMAIL,
    "require-new-password": ENDS,
    "remove-second-factor": PROOF,
    "allow-old-password": PROOF,
}
SECRETS = ("current_password", "password", "code", "passkey", "shown")  # fields that the attacker leaves empty


def unsafe() -> list[dict[str, str]]:
    return [row for row in main.route_table() if row["method"] not in LOOKS and row["permission"] != "Developer"]


def test_every_route_that_may_change_something_says_why() -> None:
    assert sorted(map(name_of, unsafe())) == sorted(WHY)
    assert sorted(ACTIONS) == sorted(actions.ACTIONS)


async def ways_in() -> dict[str, set[Any]]:
    """Everything that lets somebody in, or says how far: what an attacker would leave behind."""
    u, live = user_rows.c, session_rows.c.revoked_at.is_(None)
    kept = {
        "accounts": sa.select(u.id),
        "addresses": sa.select(u.id, u.email_key),
        "passwords": sa.select(u.id, u.password),
        "open": sa.select(u.id).where(u.is_active.is_(True)),
        "admins": sa.select(u.id).where(u.role == "admin"),
        "without a second factor": sa.select(u.id).where(u.second_factor_at.is_(None)),
        "old password is enough": sa.select(u.id).where(u.must_change_password.is_(False)),
        "sessions": sa.select(session_rows.c.id).where(live),
        "passkeys": sa.select(passkey_rows.c.id),
        "authenticators": sa.select(authenticator_rows.c.id, authenticator_rows.c.secret),
        "recovery codes": sa.select(recovery_rows.c.digest).where(recovery_rows.c.used_at.is_(None)),
        "links": sa.select(link_rows.c.id).where(link_rows.c.used_at.is_(None)),
        "warnings that are settled": sa.select(event_rows.c.id).where(event_rows.c.detail == reuse_review.OWNER),
    }
    return {name: {tuple(row) for row in await db.fetch_all(query)} for name, query in kept.items()}


async def signed_in(row: dict[str, str]) -> tuple[Scene, dict[str, str]]:
    """Somebody who has just signed in and can do what the route does, and the fields that do it."""
    person = await make_user(role="admin" if of_a_role(row) else "user")
    scene = Scene(person, await start_session(person), await make_user())
    await start_session(scene.victim)
    if name_of(row) in ACTS:
        return scene, await ACTS[name_of(row)](scene)
    return scene, {"email": person.email, "password": "", "token": "x", "code": "", "ticket": "x", "next": "/account"}


def of_an_attacker(row: dict[str, str], sent: dict[str, str]) -> dict[str, str]:
    """The same without what only the owner has."""
    sent = sent | {name: "" for name in SECRETS if name in sent}
    if row["path"] == "/step-up/passkey":
        sent["credential"] = Device(owner="x").get({"rpId": "testserver", "challenge": "x"})
    return sent


async def tried(client: Visitor, row: dict[str, str], scene: Scene, sent: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """The answer to the attacker, in the jar or as bearer, and what there is afterwards that was not before."""
    path = re.sub(r"\{(\w+)\}", lambda name: str(scene.ids.get(name[1], db.uuid7())), row["path"])
    before = await ways_in()
    if path.startswith("/api/"):
        cookie = {"Cookie": f"{cookies.access_name()}={scene.pair.access_token}", "Sec-Fetch-Site": "same-origin"}
        ways: list[dict[str, Any]] = [{"headers": cookie, "json": sent}, {"headers": bearer(scene.pair), "json": sent}]
    else:
        headers = browser(scene.pair) | {"Origin": "https://testserver"}
        headers["Cookie"] = f"{cookies.access_name()}={scene.pair.access_token}"
        ways = [{"headers": headers, "data": sent}]
    for way in ways:
        answer = await client.request(row["method"], path, **way)
    after = await ways_in()
    return answer.status_code, {name: new for name in after if (new := after[name] - before[name])}


# v5.0.0-7.5.1, v5.0.0-7.5.3
@pytest.mark.parametrize("row", unsafe(), ids=name_of)
async def test_copy_of_the_access_cookie_makes_nothing_that_outlives_it(client: Visitor, row: dict[str, str]) -> None:
    scene, sent = await signed_in(row)
    if row["path"] == redirects.PASSKEY_OFFER:  # the challenge of the page for adding one is all that they can read
        sent = await ACTS["POST /account/passkeys"](scene)

    status, made = await tried(client, row, scene, of_an_attacker(row, sent))

    assert status < 500
    if WHY[name_of(row)] == PROOF:
        assert status in (303, 422)
    assert made == {}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("path", ["/admin/users/{user_id}/{action}", "/api/admin/users/{user_id}/{action}"])
async def test_copy_of_an_admins_gives_nobody_anything(client: Visitor, path: str, action: str) -> None:
    row = {"method": "POST", "path": path, "permission": "users:write"}
    scene, _ = await signed_in(row)
    await with_a_phone(scene.victim)
    values = {"is_active": action != "reactivate", "must_change_password": action == "allow-old-password"}
    await db.execute(sa.update(user_rows).where(user_rows.c.id == scene.victim.id).values(values))
    scene.ids["action"] = action

    status, made = await tried(client, row, scene, {})

    assert status == (422 if ACTIONS[action] == PROOF else 303 if path.startswith("/admin") else 200)
    assert made == {}


@pytest.mark.parametrize("row", [row for row in unsafe() if WHY[name_of(row)] == PROOF], ids=name_of)
async def test_its_owner_makes_it(client: Visitor, row: dict[str, str]) -> None:
    """The test of the test: with the proof the same request makes something."""
    scene, sent = await signed_in(row)

    _, made = await tried(client, row, scene, sent)

    assert made


async def test_what_is_only_looked_at_makes_nothing(client: Visitor) -> None:
    """Every route that a browser may follow a link to, as the user who may read the most."""
    admin = {"method": "POST", "path": "/admin/users/{user_id}/edit", "permission": "users:write"}
    scene, _ = await signed_in(admin)

    for row in main.route_table():
        if row["method"] in SAFE and row["permission"] != "Developer":
            status, made = await tried(client, row, scene, {})
            assert (made, status < 500 or row["path"] == "/readyz") == ({}, True), row
