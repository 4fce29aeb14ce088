"""Passkeys: add, remove, and sign in with one, which covers both factors in one step.

This module handles rows and accounts; `webauthn` parses and verifies the browser's responses. A response works once.
Chapter: "The life of an account". Source: W3C Web Authentication Level 3, sections 7.1 and 7.2; v5.0.0-6.3.3,
v5.0.0-6.5.6, v5.0.0-6.7.1, v5.0.0-6.7.2.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import keys
from app.auth.accounts import login_flow, passkey_offer
from app.auth.claims import AppToken
from app.auth.models import user_rows
from app.auth.rate_limit import counters, quotas
from app.auth.tokens import TokenPair
from app.email import outbox
from app.mfa import authenticators, webauthn
from app.mfa.models import passkey_rows
from app.mfa.webauthn import NotGoodError, Verified
from app.observability import logs
from app.web import client

MOST = 20  # passkeys of one account
LABEL = "passkey"

log = logs.get("auth")
T = TypeVar("T")

# A condition on a passkey and its user: added after the owner last recovered the account with an e-mailed link.
VALID = sa.or_(user_rows.c.passkeys_since.is_(None), passkey_rows.c.created_at > user_rows.c.passkeys_since)


class Made(NamedTuple):
    """A new key pair, and the challenge that the device signed."""

    challenge: str
    verified: Verified


def bound_to(user_id: UUID, credential: str) -> str:
    """The context that an encrypted public key is bound to (`of` of `keys.encrypt`)."""
    return f"{user_id} {credential}"


async def of_user(user_id: UUID) -> list[Any]:
    """The valid passkeys of the account, oldest first."""
    table = passkey_rows
    mine = sa.select(table).join(user_rows, user_rows.c.id == table.c.user_id).where(table.c.user_id == user_id, VALID)
    return await db.fetch_all(mine.order_by(table.c.id))


def made(answer: str, purpose: str, *, unasked: bool = False) -> Made | None:
    """The new key pair in the browser's response; None if it is no valid response to our challenge. Changes nothing.

    `unasked`: see `webauthn.verify_new`.
    """
    credential = webauthn.answered(answer, purpose)
    if credential is None:
        return None
    try:
        return Made(credential["challenge"].decode(), webauthn.verify_new(credential, unasked=unasked))
    except NotGoodError as error:
        log.info("passkey_refused", reason=error.args[0])
        return None


async def store(made: Made, name: str, tx: Any, user: Any, at: datetime) -> bool:
    """Store the public key, in the transaction that has locked the owner's row.

    `name`: "" names it after the password manager or device that keeps it, or the browser if that is not known.
    False if the response was used before, or the account has MOST passkeys. Errors: IntegrityError if any account
    already has this credential.
    """
    if not await _first_use(made.challenge, at, tx=tx):
        return False
    table, key = passkey_rows, made.verified
    if user.passkeys_since:
        await tx.execute(sa.delete(table).where(table.c.user_id == user.id, table.c.created_at <= user.passkeys_since))
    have = await tx.fetch_value(sa.select(sa.func.count()).where(table.c.user_id == user.id))
    if have >= MOST:
        return False
    # Encrypted for its authentication: a key that was written by others, or moved to another account, does not decrypt.
    public_key = keys.encrypt(LABEL, key.key, of=bound_to(user.id, key.credential))
    name = name or authenticators.name_of(key.aaguid) or client.current().words()["device"]
    values = {"id": db.uuid7(), "user_id": user.id, "name": name, "created_at": at, "credential": key.credential}
    values |= {"public_key": public_key, "aaguid": key.aaguid, **_last_seen(key)}
    await tx.execute(sa.insert(table).values(values))
    await passkey_offer.stop(tx, user.id)
    await _record_and_email(tx, events.PASSKEY_ADDED, user.id, key.aaguid)
    return True


async def remove(user_id: UUID, passkey_id: UUID) -> bool:
    """Remove a passkey. False if the account has no such passkey."""
    table = passkey_rows
    async with db.transaction() as tx:
        these = table.c.id == passkey_id, table.c.user_id == user_id
        gone = await tx.fetch_one(sa.delete(table).where(*these).returning(table.c.aaguid))
        if gone is not None:
            await _record_and_email(tx, events.PASSKEY_REMOVED, user_id, gone.aaguid)
    return gone is not None


async def remove_all(tx: Any, user_id: UUID, *, since: datetime | None = None) -> int:
    """Remove the account's passkeys, or those added after `since`, in the caller's transaction. Returns how many."""
    table = passkey_rows
    these = [table.c.user_id == user_id, *([table.c.created_at > since] if since else [])]
    gone = await tx.fetch_all(sa.delete(table).where(*these).returning(table.c.aaguid))
    for row in gone:
        await _record(tx, events.PASSKEY_REMOVED, user_id, row.aaguid)
    if gone:
        await outbox.enqueue(tx, "passkey_removed", user_id=user_id, **client.current().words())
    return len(gone)


async def sign_in(answer: str, presented: Iterable[AppToken] = (), device: str = "") -> login_flow.Login | None:
    """Start a session for the owner of the passkey that signed; None for a bad response. Raises TooManyAttempts."""
    passkey = await _signed(answer, webauthn.SIGN_IN)
    if passkey is None:
        await quotas.count_invalid_token(db.utcnow())
        return None
    async with db.transaction() as tx:
        now = await tx.fetch_value(sa.select(db.now()))
        user = await _claimed(tx, passkey, last_login=now)
        return await login_flow.complete(tx, user, presented, now, device) if user else None


async def unknown(answer: str) -> str:
    """The credential id in a response to the sign-in challenge, if no account has it; otherwise "".

    "" for each passkey that exists: of an account that is not active, with a counter that did not grow, void or not.
    A device forgets what it is told of here, and a passkey that is only refused today may be good tomorrow.
    """
    credential = webauthn.answered(answer, webauthn.SIGN_IN)
    if credential is None:
        return ""
    mine = passkey_rows.c.credential == credential["id"]
    return "" if await db.fetch_one(sa.select(passkey_rows.c.id).where(mine)) else str(credential["id"])


async def step_up(user_id: UUID, sid: UUID, answer: str) -> TokenPair | None:
    """As `login_flow.step_up`, with a passkey of this account instead of the password."""

    async def renew(tx: Any, user: Any, now: datetime) -> TokenPair | None:
        pair = await login_flow.replace_session(tx, user, sid, now)
        if pair:
            await events.record(events.STEP_UP, tx=tx, user_id=user_id, actor_id=user_id)
        return pair

    return await prove(user_id, webauthn.stepping_up(sid), answer, renew)


async def prove(
    user_id: UUID, purpose: str, answer: str, then: Callable[[Any, Any, datetime], Awaitable[T]]
) -> T | None:
    """Call `then` with the owner's row locked if a passkey of this account signed our challenge for the purpose.

    Otherwise None.
    """
    passkey = await _signed(answer, purpose)
    if passkey is None or passkey.user_id != user_id:
        return None
    async with db.transaction() as tx:
        now = await tx.fetch_value(sa.select(db.now()))
        user = await _claimed(tx, passkey)
        return await then(tx, user, now) if user else None


async def _signed(answer: str, purpose: str) -> Any:
    """The row of the passkey that signed our challenge for this purpose, updated with this use; or None."""
    credential = webauthn.answered(answer, purpose)
    if credential is None:
        return None
    table = passkey_rows
    row = await db.fetch_one(sa.select(table).where(table.c.credential == credential["id"]))
    if row is None or credential["response"].get("userHandle") != keys.b64(row.user_id.bytes):
        return None
    public_key = keys.decrypt(LABEL, row.public_key, of=bound_to(row.user_id, row.credential))
    if public_key is None:
        log.error("factor_unreadable", user=logs.pseudonym(row.user_id))
        return None
    try:
        signed = webauthn.verify_signed(credential, public_key, row.uses)
        # Backup eligibility never changes: a response with another value is not from this passkey (section 7.2).
        if row.backup_eligible not in (None, signed.backup_eligible):
            raise NotGoodError("backup eligibility changed")
    except NotGoodError as error:
        await events.record(events.PASSKEY_REFUSED, user_id=row.user_id, detail=error.args[0])
        return None
    if not await _first_use(credential["challenge"].decode(), db.utcnow()):
        return None
    unchanged = table.c.id == row.id, table.c.uses == row.uses
    used = sa.update(table).where(*unchanged).values(last_used_at=db.now(), **_last_seen(signed))
    return await db.fetch_one(used.returning(*table.c))


def _last_seen(key: Verified) -> dict[str, Any]:
    """The columns that each use updates."""
    return {"uses": key.uses, "backup_eligible": key.backup_eligible, "backed_up": key.backed_up}


async def _first_use(challenge: str, now: datetime, *, tx: Any = db) -> bool:
    """Whether this challenge was not answered before. Called after the signature check: only valid responses write."""
    once = counters.key(keys.CHALLENGE, challenge)
    return (await counters.add({once: webauthn.LIFETIME}, 1, now, tx=tx))[once].count == 1


async def _claimed(tx: Any, passkey: Any, **values: Any) -> Any:
    """The account with its row locked, if it may sign in and still has this passkey; or None."""
    table = user_rows
    mine = sa.exists().where(passkey_rows.c.id == passkey.id, passkey_rows.c.user_id == table.c.id, VALID)
    live = sa.update(table).where(table.c.id == passkey.user_id, table.c.is_active.is_(True), mine)
    return await tx.fetch_one(live.values(values or {"last_login": table.c.last_login}).returning(*table.c))


async def _record(tx: Any, event: str, user_id: UUID, aaguid: str) -> None:
    kept_in = authenticators.name_of(aaguid)
    await events.record(event, tx=tx, user_id=user_id, actor_id=user_id, detail=kept_in)


async def _record_and_email(tx: Any, event: str, user_id: UUID, aaguid: str) -> None:
    await _record(tx, event, user_id, aaguid)
    await outbox.enqueue(tx, event, user_id=user_id, **client.current().words())
