"""What somebody signed in can do: for every private route that changes or exports, a request that does it.

`ACTS` is compared with the table of routes, so a new route cannot be forgotten. Everything is prepared straight in the
database, so the same acts go to the application in this process and to servers elsewhere.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import keys, tokens
from app.auth.accounts import passkey_offer
from app.auth.claims import AppToken
from app.auth.models import session_rows
from app.auth.tokens import TokenPair
from app.email import outbox
from app.email.models import email_rows
from app.main import route_table
from app.mfa import enrolment, passkeys, proofs, webauthn
from app.web import features
from app.web.same_origin import SAFE
from tests.support.device import Device
from tests.support.environment import ORIGIN, ROOT
from tests.support.people import Person, make_user, start_session
from tests.support.phone import Phone, with_a_phone
from tests.support.sent import bearer, browser

NEW_PASSWORD = "a new horse for the battery"
OPEN = ("Public", "NoAuthentication", "Developer")
LOOKS = SAFE | {"EVENTS"}  # an event stream is asked for with GET


def unsafe_and_private() -> list[dict[str, str]]:
    return [row for row in route_table() if row["method"] not in LOOKS and row["permission"] not in OPEN]


def of_features(table: str) -> dict[str, Any]:
    """What each feature's own tests add to that table: they have it in `tests/FEATURE/acts.py`."""
    found: dict[str, Any] = {}
    for feature in features.registered():
        if (ROOT / "tests" / feature.name / "acts.py").exists():
            found |= getattr(import_module(f"tests.{feature.name}.acts"), table, {})
    return found


def of_a_role(row: dict[str, str]) -> bool:
    """Whether the route is for roles with a permission, such as users:read; admins have all of them."""
    return ":" in row["permission"]


def asks_the_password(row: dict[str, str]) -> bool:
    """Whether the route wants a recent password entry."""
    return row["permission"] == "RecentLogin" or (of_a_role(row) and not row["permission"].endswith(":read"))


def name_of(row: dict[str, str]) -> str:
    return f"{row['method']} {row['path']}"


@dataclass
class Scene:
    """`person` has the session of `pair`; `victim` is somebody else who is signed in, for admins to act upon."""

    person: Person
    pair: TokenPair
    victim: Person
    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def token(self) -> AppToken:
        token = tokens.read(self.pair.access_token, "access", db.utcnow())
        assert token
        return token


@dataclass(frozen=True)
class Act:
    """A request: `data` for a form, `json` for the API."""

    method: str
    path: str
    data: dict[str, str] = field(default_factory=dict)
    json: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


async def scene_of(row: dict[str, str]) -> tuple[Scene, Act]:
    """Somebody who may do what the route does, and the request that does it."""
    person = await make_user(role="admin" if of_a_role(row) else "user")
    scene = Scene(person, await start_session(person), await make_user())
    await start_session(scene.victim)
    said = await ACTS[name_of(row)](scene)
    path = re.sub(r"\{(\w+)\}", lambda name: str(scene.ids[name[1]]), row["path"])
    if path.startswith("/api/"):
        return scene, Act(row["method"], path, json=said, headers=bearer(scene.pair))
    return scene, Act(row["method"], path, data=said, headers=browser(scene.pair) | {"Origin": ORIGIN})


async def rows() -> dict[str, set[str]]:
    """All rows of all tables."""
    tables = [model.table for model in db.registry.models.values()]
    return {table.name: {repr(row) for row in await db.fetch_all(sa.select(table))} for table in tables}


async def _nothing(_: Scene) -> dict[str, str]:
    return {}


async def _step_up(scene: Scene) -> dict[str, str]:
    return {"password": scene.person.password}


async def _a_device(scene: Scene) -> Device:
    device, user = Device(), SimpleNamespace(**vars_of(scene.person), sid=scene.token.sid)
    answer, proof = device.create(webauthn.to_add(user, [])), proofs.Proof(scene.person.password)
    assert await enrolment.add_passkey(user.id, user.sid, answer, "A device", proof) == {}
    (scene.ids["passkey_id"],) = [row.id for row in await passkeys.of_user(user.id)]
    return device


def vars_of(person: Person) -> dict[str, Any]:
    return {"id": person.id, "email": person.email, "name": person.name}


async def _step_up_with_a_passkey(scene: Scene) -> dict[str, str]:
    device = await _a_device(scene)
    return {"credential": device.get(webauthn.to_sign(webauthn.stepping_up(scene.token.sid)))}


async def _add_an_offered_passkey(scene: Scene) -> dict[str, str]:
    user = SimpleNamespace(**vars_of(scene.person), sid=scene.token.sid)
    now = db.utcnow() + passkey_offer.PROOF_LIFETIME
    options = {**webauthn.to_add(user, []), "challenge": keys.challenge(passkey_offer.purpose(user.sid), now)}
    return {"credential": Device().create(options)}


async def _add_a_passkey(scene: Scene) -> dict[str, str]:
    user = SimpleNamespace(**vars_of(scene.person), sid=scene.token.sid)
    made = Device().create(webauthn.to_add(user, []))
    return {"name": "Key", "credential": made, "current_password": scene.person.password}


async def _remove_a_passkey(scene: Scene) -> dict[str, str]:
    await _a_device(scene)
    return {}


async def _turn_on(scene: Scene) -> dict[str, str]:
    secret, encrypted = enrolment.offer(scene.token.sid)
    code = Phone(secret).shows(await db.fetch_value(sa.select(db.now())))
    return {"offer": encrypted, "code": code, "current_password": scene.person.password}


async def _with_a_code(scene: Scene) -> dict[str, str]:
    phone = await with_a_phone(scene.person)
    assert phone.pair
    scene.pair = phone.pair
    return {"code": phone.recovery_codes[0], "current_password": scene.person.password}


async def _saved_codes(scene: Scene) -> dict[str, str]:
    form = await _with_a_code(scene)
    proof = proofs.Proof(form["current_password"], form["code"])
    made = await enrolment.new_recovery_codes(scene.person.id, scene.token.sid, proof)
    assert isinstance(made, enrolment.NewCodes)
    return {"shown": made.signed}


async def _password(scene: Scene) -> dict[str, str]:
    return {"current_password": scene.person.password, "new_password": NEW_PASSWORD}


async def _answer(scene: Scene) -> dict[str, str]:
    await _another_session(scene)
    ended = sa.update(session_rows).where(session_rows.c.id == scene.ids["sid"])
    await db.execute(ended.values(revoked_at=db.now(), revoked_for=events.REUSED))
    return {"owner": "yes", "current_password": scene.person.password}


async def _email(scene: Scene) -> dict[str, str]:
    return {"email": "elsewhere@example.com", "current_password": scene.person.password}


async def _another_session(scene: Scene) -> dict[str, str]:
    await start_session(scene.person)
    own = sa.select(session_rows.c.id).where(session_rows.c.user_id == scene.person.id)
    scene.ids["sid"] = await db.fetch_value(own.where(session_rows.c.id != scene.token.sid))
    return {}


async def _a_name(_: Scene) -> dict[str, str]:
    return {"name": "Another Name"}


async def _a_failed_email(scene: Scene) -> dict[str, str]:
    async with db.transaction() as tx:
        scene.ids["email_id"] = await outbox.enqueue(tx, "forgot", recipient="nobody@example.com")
        await tx.execute(sa.update(email_rows).values(failed_at=db.utcnow()))
    return {}


async def _an_invitation(scene: Scene) -> dict[str, str]:
    proof = {"current_password": scene.person.password}
    return {"email": "invited@example.com", "name": "New", "role": "user"} | proof


async def _the_victim(scene: Scene) -> dict[str, str]:
    theirs = sa.select(session_rows.c.id).where(session_rows.c.user_id == scene.victim.id)
    session = await db.fetch_value(theirs)
    scene.ids |= {"user_id": scene.victim.id, "session_id": session, "action": "deactivate"}
    return {}


async def _edit_the_victim(scene: Scene) -> dict[str, str]:
    await _the_victim(scene)
    return {"name": "Another Name", "role": "admin", "current_password": scene.person.password}


ACTS: dict[str, Callable[[Scene], Awaitable[dict[str, str]]]] = {
    "POST /step-up": _step_up,
    "POST /step-up/passkey": _step_up_with_a_passkey,
    "POST /account/second-factor": _turn_on,
    "POST /account/second-factor/recovery-codes": _with_a_code,
    "POST /account/second-factor/recovery-codes/saved": _saved_codes,
    "POST /account/second-factor/off": _with_a_code,
    "POST /account/passkeys": _add_a_passkey,
    "POST /account/passkeys/{passkey_id}/remove": _remove_a_passkey,
    "POST /account/passkeys/offer": _add_an_offered_passkey,
    "POST /account/passkeys/offer/decline": _nothing,
    "POST /account": _a_name,
    "POST /account/password": _password,
    "POST /account/delete": _nothing,
    "POST /account/email": _email,
    "POST /account/sessions/revoke-others": _another_session,
    "POST /account/sessions/{sid}/revoke": _another_session,
    "POST /account/sessions/{sid}/answer": _answer,
    "POST /account/export": _nothing,
    "POST /admin/users/export": _nothing,
    "POST /admin/audit/export": _nothing,
    "POST /admin/mail/{email_id}/try-again": _a_failed_email,
    "POST /admin/users/new": _an_invitation,
    "POST /admin/users/{user_id}/edit": _edit_the_victim,
    "POST /admin/users/{user_id}/sessions/{session_id}/end": _the_victim,
    "POST /admin/users/{user_id}/{action}": _the_victim,
    "POST /api/admin/users": _an_invitation,
    "PATCH /api/admin/users/{user_id}": _edit_the_victim,
    "POST /api/admin/users/{user_id}/sessions/{session_id}/end": _the_victim,
    "POST /api/admin/users/{user_id}/{action}": _the_victim,
    **of_features("ACTS"),
}
