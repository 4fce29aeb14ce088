"""Passkeys: a key pair that somebody's device keeps, and unlocks by face, finger or code. Both factors in one step.

What the device signs names our origin, so a page that looks like ours gets nothing of worth (phishing resistance). A
challenge is ours, for one purpose, and good once; the device must have made sure who holds it. The signatures are the
library's business.
Chapter: "The life of an account". Source: W3C Web Authentication Level 3, sections 7.1 and 7.2; v5.0.0-6.3.3,
v5.0.0-6.5.6, v5.0.0-6.5.7, v5.0.0-6.7.1, v5.0.0-6.7.2.
"""

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa

from app import db, logs
from app.audit import events
from app.auth import accounts, counters, keys, throttle
from app.auth.models import user_rows
from app.auth.tokens import AppToken, TokenPair
from app.mail import outbox
from app.mfa import cbor
from app.mfa.models import passkey_rows
from app.settings import get_settings
from app.web import client, render

MOST = 20  # passkeys of one account
LABEL, CHALLENGE = "passkey", "challenge"
LASTS = timedelta(hours=1)  # a challenge, for a page that stays open
LONGEST = 16_384  # characters of what a browser hands over
ID = re.compile(r"[A-Za-z0-9_-]{1,1364}")  # 1023 bytes at most (W3C Web Authentication section 4)
SIGN_IN = "sign in"
ALGORITHMS = (-7, -8, -257)  # ES256, EdDSA, RS256 (RFC 9053)

log = logs.get("auth")
T = TypeVar("T")

# Of a passkey beside its account's row: not from before the owner got the account back by a mailed link.
_GOOD = sa.or_(user_rows.c.passkeys_since.is_(None), passkey_rows.c.created_at > user_rows.c.passkeys_since)


class Made(NamedTuple):
    """A new key pair: the challenge that it answers, and what the library found in the answer."""

    challenge: str
    verified: Any


def adding(sid: UUID) -> str:
    """The purpose of a challenge: a new passkey, in this session alone."""
    return f"add {sid}"


def stepping_up(sid: UUID) -> str:
    """As `adding`: to prove oneself once more."""
    return f"step up {sid}"


def proving(sid: UUID) -> str:
    """As `adding`: to change how one signs in (see `enrolment`)."""
    return f"prove {sid}"


def challenge(purpose: str, now: datetime) -> str:
    """128 random bits, and the stamp that they are ours; always as long. `purpose`: what the answer is good for."""
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{keys.stamp(CHALLENGE, f'{purpose} {nonce}', now + LASTS)}"


def asked(challenge: str, purpose: str, now: datetime) -> bool:
    """Did we ask that, for this purpose, within the hour?"""
    nonce, _, stamp = challenge.partition(".")
    return keys.stamped(CHALLENGE, f"{purpose} {nonce}", stamp, now)


def to_add(user: Any, known: Iterable[Any]) -> dict[str, Any]:
    """What the browser needs for `navigator.credentials.create`; bytes as base64url, the challenge as text."""
    return {
        "challenge": challenge(adding(user.sid), db.utcnow()),
        "rp": {"id": _site(), "name": render.APP_NAME},
        "user": {"id": keys.b64(user.id.bytes), "name": user.email, "displayName": user.name},
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "authenticatorSelection": {"residentKey": "required", "userVerification": "required"},
        "attestation": "none",
        "excludeCredentials": [{"type": "public-key", "id": row.credential} for row in known],
    }


def to_sign(purpose: str) -> dict[str, Any]:
    """What the browser needs for `navigator.credentials.get`. Names no key: it says nothing about any account."""
    return {"challenge": challenge(purpose, db.utcnow()), "rpId": _site(), "userVerification": "required"}


def bound_to(user_id: UUID, credential: str) -> str:
    """What an encrypted public key is bound to."""
    return f"{user_id} {credential}"


async def of_user(user_id: UUID) -> list[Any]:
    """The passkeys of the account that are good, the oldest first."""
    table = passkey_rows
    mine = sa.select(table).join(user_rows, user_rows.c.id == table.c.user_id).where(table.c.user_id == user_id, _GOOD)
    return await db.fetch_all(mine.order_by(table.c.id))


def made(answer: str, sid: UUID) -> Made | None:
    """What the device has just made; None for what is no proper answer to our challenge. Changes nothing."""
    from webauthn import verify_registration_response  # 0.2 s, which no start should wait for

    credential = _answered(answer, adding(sid))
    if credential is None:
        return None
    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=credential["challenge"],
            expected_rp_id=_site(),
            expected_origin=get_settings().origin,
            require_user_verification=True,
        )
    except Exception as error:  # the library takes bytes of a stranger apart, and raises what it likes
        log.info("passkey_refused", reason=type(error).__name__)
        return None
    return Made(credential["challenge"].decode(), verified)


async def keep(made: Made, name: str, tx: Any, user: Any, at: datetime) -> bool:
    """Its public key, in the transaction that has locked the owner's row. False if it was kept before, or is too many.

    Errors: IntegrityError for a credential that is kept already, of whichever account.
    """
    if not await _first_time(made.challenge, at, tx=tx):
        return False
    table, credential = passkey_rows, keys.b64(made.verified.credential_id)
    if user.passkeys_since:
        await tx.execute(sa.delete(table).where(table.c.user_id == user.id, table.c.created_at <= user.passkeys_since))
    have = await tx.fetch_value(sa.select(sa.func.count()).where(table.c.user_id == user.id))
    if have >= MOST:
        return False
    # Authenticated more than hidden: a key that was put here by other hands, or moved to another account, is none.
    public_key = keys.b64(made.verified.credential_public_key)
    values = {"id": db.uuid7(), "user_id": user.id, "name": name, "created_at": at, "uses": made.verified.sign_count}
    values |= {
        "credential": credential,
        "public_key": keys.encrypt(LABEL, public_key, of=bound_to(user.id, credential)),
    }
    await tx.execute(sa.insert(table).values(values))
    await _tell(tx, events.PASSKEY_ADDED, user.id)
    return True


async def remove(user_id: UUID, passkey_id: UUID) -> bool:
    """It signs nobody in any more. False if there is no such passkey of this account."""
    table = passkey_rows
    async with db.transaction() as tx:
        gone = await tx.execute(sa.delete(table).where(table.c.id == passkey_id, table.c.user_id == user_id))
        if gone:
            await _tell(tx, events.PASSKEY_REMOVED, user_id)
    return bool(gone)


async def sign_in(answer: str, presented: Iterable[AppToken] = ()) -> accounts.Login | None:
    """A new session of whoever's device signed; None for everything else. Raises TooManyAttempts."""
    passkey = await _signed(answer, SIGN_IN)
    if passkey is None:
        await throttle.garbage_shown(db.utcnow())
        return None
    async with db.transaction() as tx:
        now = await tx.fetch_value(sa.select(db.now()))
        user = await _claimed(tx, passkey, last_login=now)
        return await accounts.start(tx, user, presented, now) if user else None


async def step_up(user_id: UUID, sid: UUID, answer: str) -> TokenPair | None:
    """As `accounts.step_up`, with a passkey of this account instead of its password."""

    async def renew(tx: Any, user: Any, now: datetime) -> TokenPair | None:
        pair = await accounts.replace_session(tx, user, sid, now)
        if pair:
            await events.record(events.STEP_UP, tx=tx, user_id=user_id, actor_id=user_id)
        return pair

    return await prove(user_id, stepping_up(sid), answer, renew)


async def prove(
    user_id: UUID, purpose: str, answer: str, then: Callable[[Any, Any, datetime], Awaitable[T]]
) -> T | None:
    """Do it if a passkey of this account signed our challenge for the purpose, its owner's row locked; else None."""
    passkey = await _signed(answer, purpose)
    if passkey is None or passkey.user_id != user_id:
        return None
    async with db.transaction() as tx:
        now = await tx.fetch_value(sa.select(db.now()))
        user = await _claimed(tx, passkey)
        return await then(tx, user, now) if user else None


async def _signed(answer: str, purpose: str) -> Any:
    """The row of the passkey that signed our challenge for this purpose, its use noted; or None."""
    from webauthn import verify_authentication_response

    credential = _answered(answer, purpose)
    if credential is None:
        return None
    row = await db.fetch_one(sa.select(passkey_rows).where(passkey_rows.c.credential == credential["id"]))
    if row is None or credential["response"].get("userHandle") != keys.b64(row.user_id.bytes):
        return None
    public_key = keys.decrypt(LABEL, row.public_key, of=bound_to(row.user_id, row.credential))
    if public_key is None:
        log.error("factor_unreadable", user=logs.pseudonym(row.user_id))
        return None
    try:
        signed = verify_authentication_response(
            credential=credential,
            expected_challenge=credential["challenge"],
            expected_rp_id=_site(),
            expected_origin=get_settings().origin,
            credential_public_key=keys.unb64(public_key),
            credential_current_sign_count=row.uses,
            require_user_verification=True,
        )
    except Exception as error:
        await events.record(events.PASSKEY_REFUSED, user_id=row.user_id, detail=type(error).__name__)
        return None
    if not await _first_time(credential["challenge"].decode(), db.utcnow()):
        return None
    table = passkey_rows
    unchanged = table.c.id == row.id, table.c.uses == row.uses
    used = sa.update(table).where(*unchanged).values(uses=signed.new_sign_count, last_used_at=db.now())
    return await db.fetch_one(used.returning(*table.c))


def _answered(answer: str, purpose: str) -> dict[str, Any] | None:
    """What a browser handed over, with the `challenge` that it answers, if that is ours."""
    try:
        credential: Any = json.loads(answer) if len(answer) <= LONGEST else None
        challenge = json.loads(keys.unb64(credential["response"]["clientDataJSON"]))["challenge"]
        given, now = keys.unb64(challenge).decode("ascii"), db.utcnow()
        if not asked(given, purpose, now) or not ID.fullmatch(credential["id"]):
            return None
        if not cbor.is_plain(credential["response"]):
            return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return {**credential, "challenge": given.encode()}


async def _first_time(challenge: str, now: datetime, *, tx: Any = db) -> bool:
    """An answer is good once. Asked when the signature is known to be good: who signs nothing writes nothing."""
    once = counters.key(CHALLENGE, challenge)
    return (await counters.add({once: LASTS}, 1, now, tx=tx))[once].count == 1


async def _claimed(tx: Any, passkey: Any, **values: Any) -> Any:
    """The account, its row locked, if it may sign in and the passkey is still one of its own."""
    table = user_rows
    mine = sa.exists().where(passkey_rows.c.id == passkey.id, passkey_rows.c.user_id == table.c.id, _GOOD)
    live = sa.update(table).where(table.c.id == passkey.user_id, table.c.is_active.is_(True), mine)
    return await tx.fetch_one(live.values(values or {"last_login": table.c.last_login}).returning(*table.c))


async def _tell(tx: Any, event: str, user_id: UUID) -> None:
    await events.record(event, tx=tx, user_id=user_id, actor_id=user_id)
    await outbox.put(tx, event, user_id=user_id, **client.current().words())


def _site() -> str:
    """The name that a passkey is bound to: the host of our origin."""
    return urlsplit(get_settings().origin).hostname or ""
