"""Enrolment: the owner turns the second factor on or off, makes new recovery codes, or adds a passkey.

Each function requires a proof (see `proofs`), which is checked in the transaction that makes the change.
Chapter: "The life of an account". Source: v5.0.0-6.5.6, v5.0.0-7.5.1, v5.0.0-7.5.3; NIST SP 800-63B-4 section 4.1.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import email_links, keys
from app.auth.accounts import login_flow, passkey_offer, profile
from app.auth.accounts.profile import FieldErrors
from app.auth.errors import SessionEnded
from app.auth.models import user_rows
from app.auth.sessions import revocation, session_cache
from app.auth.tokens import TokenPair
from app.mfa import code_input, passkeys, second_factor, totp, webauthn
from app.mfa.models import recovery_rows
from app.mfa.proofs import MISSING, WRONG, Proof, proved, proved_by_sign_in
from app.web import urls

RECENT = timedelta(days=14)
OFFERED = "authenticator offered"
SHOWN = "recovery codes shown"
NOT_ADDED = "The passkey was not added. Try again. An account can have at most twenty."


class On(NamedTuple):
    """The second factor is on: the new session's tokens, and the recovery codes, which cannot be shown again."""

    pair: TokenPair
    recovery_codes: list[str]


class NewCodes(NamedTuple):
    """New recovery codes. `signed`: with our MAC, for the page that confirms that the owner saved them."""

    recovery_codes: list[str]
    signed: str


class Added(NamedTuple):
    """A recently added credential. `what`: passkey, second step or recovery codes. `name`: the name of a passkey."""

    what: str
    at: datetime
    name: str = ""


class Offer(NamedTuple):
    """A TOTP secret to set up an authenticator with. `encrypted`: the same, for a hidden field of the page."""

    secret: str
    encrypted: str


def offer(sid: UUID, before: str = "") -> Offer:
    """A new secret, stored only in the page; or that of `before`, an encrypted value of this session.

    Each page view gets its own secret: an attacker with the session's cookie does not see the owner's.
    """
    if secret := offered(before, sid):
        return Offer(secret, before)
    secret = totp.new_secret()
    return Offer(secret, keys.encrypt(OFFERED, secret, of=str(sid)))


def offered(encrypted: str, sid: UUID) -> str | None:
    """The secret in an encrypted value of this session; None for anything else."""
    return keys.decrypt(OFFERED, encrypted, of=str(sid))


async def turn_on(user_id: UUID, sid: UUID, secret: str, code: str, proof: Proof) -> On | FieldErrors:
    """Turn on the second factor: from now on, the password alone does not sign in.

    `code`: the first code, which proves that an authenticator has the `secret`. Returns the new session and the
    recovery codes, or the validation errors by field.
    Raises TooManyAttempts, Overloaded; SessionEnded if this session has ended or the second factor was on already.
    """
    step = totp.step(secret, code_input.digits(code) or "", await db.fetch_value(sa.select(db.now())))
    if step is None:
        unproved = {} if proof.password or proof.passkey else {"current_password": MISSING}
        return {"code": WRONG if code else MISSING, **unproved}

    async def on(tx: Any, user: Any, at: datetime) -> On:
        if user.second_factor_at is not None:
            raise SessionEnded
        await tx.execute(sa.update(user_rows).where(user_rows.c.id == user_id).values(second_factor_at=at))
        await second_factor.delete_factors(tx, user_id)
        await second_factor.add_authenticator(tx, user_id, secret, step, at)
        made, _ = await second_factor.new_codes(tx, user_id, at, saved=True)
        reason = events.CREDENTIALS_CHANGED
        await revocation.revoke_all(user_id, reason, tx=tx, now=at, actor_id=user_id, but=sid)
        await email_links.void_email_change(tx, at, user_id)
        pair = await login_flow.replace_session(tx, user, sid, at)
        if pair is None:
            raise SessionEnded
        await second_factor.record_and_email(tx, events.SECOND_FACTOR_ON, "second_factor_on", user_id, user_id)
        return On(pair, made)

    return await proved(user_id, sid, proof, on)


async def turn_off(user_id: UUID, sid: UUID, proof: Proof) -> FieldErrors:
    """Turn off the second factor and delete the authenticator and all recovery codes.

    Returns the validation errors by field, {} when it is off. Raises TooManyAttempts, Overloaded, SessionEnded.
    """

    async def off(tx: Any, user: Any, at: datetime) -> FieldErrors:
        if user.second_factor_at is not None:
            await tx.execute(sa.update(user_rows).where(user_rows.c.id == user_id).values(second_factor_at=None))
            await second_factor.delete_factors(tx, user_id)
            await email_links.void_email_change(tx, at, user_id)
            await session_cache.invalidate(tx, user_id=user_id)
            await second_factor.record_and_email(tx, events.SECOND_FACTOR_OFF, "second_factor_off", user_id, user_id)
        return {}

    return await proved(user_id, sid, proof, off)


async def new_recovery_codes(user_id: UUID, sid: UUID, proof: Proof) -> NewCodes | FieldErrors:
    """Ten new recovery codes. They are valid after `save_recovery_codes`; until then, the old ones are.

    So a lost response leaves the owner with valid codes. Returns the codes, or the validation errors by field.
    Raises TooManyAttempts, Overloaded; SessionEnded if this session has ended or the second factor is off.
    """

    async def made(tx: Any, user: Any, at: datetime) -> NewCodes:
        if user.second_factor_at is None:
            raise SessionEnded
        new, first = await second_factor.new_codes(tx, user_id, at, saved=False)
        return NewCodes(new, f"{first}.{keys.mac(SHOWN, f'{user_id} {first}')}")

    return await proved(user_id, sid, proof, made)


async def save_recovery_codes(user_id: UUID, signed: str) -> bool:
    """The owner has saved the new codes: they become valid, and the old ones void. Repeating it has no effect.

    False if newer codes were made since, or the second factor was turned off.
    """
    written, _, mac = signed.partition(".")
    first = urls.uuid_or_none(written)
    if first is None or not keys.verify_mac(SHOWN, f"{user_id} {first}", mac):
        return False
    async with db.transaction() as tx:
        at = await tx.fetch_value(sa.select(db.now()))
        await tx.fetch_one(sa.select(user_rows.c.id).where(user_rows.c.id == user_id).with_for_update())
        if await second_factor.save_codes(tx, user_id, first, at):
            await second_factor.record_and_email(
                tx, events.RECOVERY_CODES_MADE, "recovery_codes_made", user_id, user_id
            )
            return True
    return await second_factor.is_saved(user_id, first)


async def add_passkey(user_id: UUID, sid: UUID, answer: str, name: str, proof: Proof) -> FieldErrors:
    """Store the public key of a new passkey. Returns the validation errors by field, {} when it was added.

    If only the proof was wrong, the same `answer` of the device can be sent again.
    Raises TooManyAttempts, Overloaded, SessionEnded.
    """
    made = passkeys.made(answer, webauthn.adding(sid))
    if made is None:
        return {"credential": NOT_ADDED}
    try:
        stored = await proved(user_id, sid, proof, partial(passkeys.store, made, name))
    except sa.exc.IntegrityError:  # an account already has this credential
        stored = False
    return stored if isinstance(stored, dict) else {} if stored else {"credential": NOT_ADDED}


async def add_offered_passkey(user_id: UUID, sid: UUID, answer: str) -> bool:
    """Store a passkey that was offered after the sign-in; the challenge that it signed is the proof of that sign-in.

    False for any other response. Raises SessionEnded.
    """
    made = passkeys.made(answer, passkey_offer.purpose(sid), unasked=True)
    if made is None:
        return False
    try:
        return await proved_by_sign_in(user_id, sid, partial(passkeys.store, made, ""))
    except sa.exc.IntegrityError:  # an account already has this credential
        return False


async def decline_passkeys(user_id: UUID) -> None:
    """The owner does not want to be offered a passkey after a sign-in any more."""
    async with db.transaction() as tx:
        await passkey_offer.stop(tx, user_id)


async def added_recently(user_id: UUID, now: datetime) -> list[Added]:
    """The credentials added within RECENT, newest first: their owner may not have added them if the password leaked."""
    since = now - RECENT
    found = [Added("passkey", row.created_at, row.name) for row in await passkeys.of_user(user_id)]
    turned_on = (await profile.load_user(user_id)).second_factor_at
    if turned_on:
        newest = sa.select(sa.func.max(recovery_rows.c.saved_at)).where(recovery_rows.c.user_id == user_id)
        made = await db.fetch_value(newest)
        found += [Added("two-factor authentication", turned_on)]
        found += [Added("recovery codes", made)] if made and made > turned_on else []
    return sorted((each for each in found if each.at > since), key=lambda each: each.at, reverse=True)
