"""Enrolment: the owner turns the second factor on or off, makes recovery codes, adds a passkey.

Each asks for a proof in its very form (see `proofs`), judged in the transaction that makes the change.
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
from app.auth.accounts import login_flow, profile
from app.auth.accounts.profile import FieldErrors
from app.auth.errors import SessionEnded
from app.auth.models import user_rows
from app.auth.sessions import rotation, session_cache
from app.auth.tokens import TokenPair
from app.mfa import codes, passkeys, second_factor
from app.mfa.models import authenticator_rows, recovery_rows
from app.mfa.proofs import MISSING, WRONG, Proof, proved
from app.web import urls

LATELY = timedelta(days=14)
OFFERED = "authenticator offered"
SHOWN = "recovery codes shown"
NOT_ADDED = "The passkey was not added. Try once more; twenty are the most an account can have."


class On(NamedTuple):
    """It is on: the new session's tokens, and the recovery codes, which nobody can show again."""

    pair: TokenPair
    recovery_codes: list[str]


class NewCodes(NamedTuple):
    """`sealed`: what their owner brings back once they are saved. It stands on the page that shows them alone."""

    recovery_codes: list[str]
    sealed: str


class Added(NamedTuple):
    """`what`: passkey, second step or recovery codes. `name`: of a passkey, as its owner called it."""

    what: str
    at: datetime
    name: str = ""


class Offer(NamedTuple):
    """The secret that an authenticator is to have, and the same sealed for a session: the hidden field of one page."""

    secret: str
    sealed: str


def offer(sid: UUID, before: str = "") -> Offer:
    """A new secret, kept nowhere but in the page; the one of `before`, where that was sealed for this session.

    New for each page: whoever holds a copy of the session's cookie and looks, too, sees another one than its owner.
    """
    if secret := offered(before, sid):
        return Offer(secret, before)
    secret = codes.new_secret()
    return Offer(secret, keys.encrypt(OFFERED, secret, of=str(sid)))


def offered(sealed: str, sid: UUID) -> str | None:
    """The secret of an offer that was sealed for this session; None for anything else."""
    return keys.decrypt(OFFERED, sealed, of=str(sid))


async def turn_on(user_id: UUID, sid: UUID, secret: str, code: str, proof: Proof) -> On | FieldErrors:
    """From now on a password alone signs nobody in.

    `code`: the first one, which shows that an authenticator has the `secret`.
    Raises TooManyAttempts, Overloaded; SessionEnded where this session ended, or it was on already.
    """
    step = codes.step(secret, codes.digits(code) or "", await db.fetch_value(sa.select(db.now())))
    if step is None:
        unproved = {} if proof.password or proof.passkey else {"current_password": MISSING}
        return {"code": WRONG if code else MISSING, **unproved}

    async def on(tx: Any, user: Any, at: datetime) -> On:
        if user.second_factor_at is not None:
            raise SessionEnded
        await tx.execute(sa.update(user_rows).where(user_rows.c.id == user_id).values(second_factor_at=at))
        await second_factor.forget(tx, user_id)
        kept = {"id": db.uuid7(), "user_id": user_id, "last_step": step, "created_at": at}
        kept["secret"] = keys.encrypt(second_factor.LABEL, secret, of=str(user_id))
        await tx.execute(sa.insert(authenticator_rows).values(kept))
        made, _ = await second_factor.new_codes(tx, user_id, at, saved=True)
        reason = events.CREDENTIALS_CHANGED
        await rotation.revoke_all(user_id, reason, tx=tx, now=at, actor_id=user_id, but=sid)
        await email_links.void_email_change(tx, at, user_id)
        pair = await login_flow.replace_session(tx, user, sid, at)
        if pair is None:
            raise SessionEnded
        await second_factor.tell(tx, events.SECOND_FACTOR_ON, "second_factor_on", user_id, user_id)
        return On(pair, made)

    return await proved(user_id, sid, proof, on)


async def turn_off(user_id: UUID, sid: UUID, proof: Proof) -> FieldErrors:
    """A password alone is enough again; the authenticator and every recovery code are forgotten.

    No faults: it is off. Raises TooManyAttempts, Overloaded, SessionEnded.
    """

    async def off(tx: Any, user: Any, at: datetime) -> FieldErrors:
        if user.second_factor_at is not None:
            await tx.execute(sa.update(user_rows).where(user_rows.c.id == user_id).values(second_factor_at=None))
            await second_factor.forget(tx, user_id)
            await email_links.void_email_change(tx, at, user_id)
            await session_cache.invalidate(tx, user_id=user_id)
            await second_factor.tell(tx, events.SECOND_FACTOR_OFF, "second_factor_off", user_id, user_id)
        return {}

    return await proved(user_id, sid, proof, off)


async def new_recovery_codes(user_id: UUID, sid: UUID, proof: Proof) -> NewCodes | FieldErrors:
    """Ten new ones, good when `save_recovery_codes` is told so; until then the old ones are.

    Else an answer that got lost would leave nobody with codes that are good.
    Raises TooManyAttempts, Overloaded; SessionEnded where this session ended, or the second factor is off.
    """

    async def made(tx: Any, user: Any, at: datetime) -> NewCodes:
        if user.second_factor_at is None:
            raise SessionEnded
        new, first = await second_factor.new_codes(tx, user_id, at, saved=False)
        return NewCodes(new, f"{first}.{keys.mac(SHOWN, f'{user_id} {first}')}")

    return await proved(user_id, sid, proof, made)


async def save_recovery_codes(user_id: UUID, sealed: str) -> bool:
    """Their owner has them: from now on they are good, and the ones before for nothing. Twice is no error.

    False where newer ones were made since, or the second factor was turned off.
    """
    written, _, mac = sealed.partition(".")
    first = urls.uuid_or_none(written)
    if first is None or not keys.verify_mac(SHOWN, f"{user_id} {first}", mac):
        return False
    async with db.transaction() as tx:
        at = await tx.fetch_value(sa.select(db.now()))
        await tx.fetch_one(sa.select(user_rows.c.id).where(user_rows.c.id == user_id).with_for_update())
        if await second_factor.save_codes(tx, user_id, first, at):
            await second_factor.tell(tx, events.RECOVERY_CODES_MADE, "recovery_codes_made", user_id, user_id)
            return True
    return await second_factor.is_saved(user_id, first)


async def add_passkey(user_id: UUID, sid: UUID, answer: str, name: str, proof: Proof) -> FieldErrors:
    """Keep the public key of what the device has just made. No faults: it signs in from now on.

    What the device made is good for another try of the form if only the proof was wrong.
    Raises TooManyAttempts, Overloaded, SessionEnded.
    """
    made = passkeys.made(answer, sid)
    if made is None:
        return {"credential": NOT_ADDED}
    try:
        kept = await proved(user_id, sid, proof, partial(passkeys.keep, made, name))
    except sa.exc.IntegrityError:  # the same credential once more, or for a second account
        kept = False
    return kept if isinstance(kept, dict) else {} if kept else {"credential": NOT_ADDED}


async def added_lately(user_id: UUID, now: datetime) -> list[Added]:
    """What was added to the ways to sign in within LATELY, the newest first: whose password is known looks at this."""
    since = now - LATELY
    found = [Added("passkey", row.created_at, row.name) for row in await passkeys.of_user(user_id)]
    turned_on = (await profile.load_user(user_id)).second_factor_at
    if turned_on:
        newest = sa.select(sa.func.max(recovery_rows.c.saved_at)).where(recovery_rows.c.user_id == user_id)
        made = await db.fetch_value(newest)
        found += [Added("second step", turned_on)]
        found += [Added("recovery codes", made)] if made and made > turned_on else []
    return sorted((each for each in found if each.at > since), key=lambda each: each.at, reverse=True)
