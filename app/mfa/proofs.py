"""Proofs: the credentials that a form requires along with its own fields.

A proof is the password, with a code if the second factor is on, or a passkey. It is required for changes that outlast
the session: credentials and roles. A recent login is not enough, because a stolen session cookie is as recent as its
original. Wrong proofs count against the limits of step-up and login.
Chapter: "The life of an account". Source: v5.0.0-7.5.1, v5.0.0-7.5.3; NIST SP 800-63B-4 section 4.1.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.auth.accounts import login_flow, profile
from app.auth.accounts.profile import FieldErrors
from app.auth.errors import SessionEnded
from app.auth.models import session_rows, user_rows
from app.auth.rate_limit import attempts
from app.auth.sessions import lifetime
from app.mfa import passkeys, second_factor, webauthn

MISSING = "Please fill this in."
WRONG = "The code is wrong, expired or already used. Enter the code that is shown now."
NOT_GOOD = "That passkey was not accepted. Use your password, or try again."

T = TypeVar("T")
Change = Callable[[Any, Any, datetime], Awaitable[T]]  # the transaction, the user's row, now


class Proof(NamedTuple):
    """The proof fields of a form. `code`: TOTP or recovery code. `passkey`: the browser's response to `to_prove`."""

    password: str = ""
    code: str = ""
    passkey: str = ""


def to_prove(sid: UUID) -> dict[str, Any]:
    """The WebAuthn request options for a passkey's proof, valid in this session alone."""
    return webauthn.to_sign(webauthn.proving(sid))


async def verify(user: Any, proof: Proof) -> FieldErrors:
    """Check the proof, for actions with their own transaction, which checks again that the session is live.

    `user`: the Principal. Returns the validation errors by field, {} for a valid proof.
    Raises TooManyAttempts, Overloaded, SessionEnded.
    """

    async def nothing(*_: Any) -> FieldErrors:
        return {}

    return await proved(user.id, user.sid, proof, nothing)


async def proved(user_id: UUID, sid: UUID, proof: Proof, change: Change[T]) -> T | FieldErrors:
    """Check the proof and make the change, in one transaction.

    Returns what `change` returns, or the validation errors by field; a wrong proof counts as a failed attempt.
    """

    async def change_if_live(tx: Any, user: Any, at: datetime) -> T:
        await _still_signed_in(tx, user_id, sid, at)  # the session may have ended while the form was filled in
        return await change(tx, user, at)

    if proof.passkey:
        done = await passkeys.prove(user_id, webauthn.proving(sid), proof.passkey, change_if_live)
        return {"passkey": NOT_GOOD} if done is None else done
    return await _by_password(user_id, sid, proof, change_if_live)


async def proved_by_sign_in(user_id: UUID, sid: UUID, change: Change[T]) -> T:
    """Make the change, in one transaction, for a caller that has checked a proof of this session's sign-in.

    Raises SessionEnded: a new password, a new factor or a confirmed password ends the session that had signed in.
    """
    async with db.transaction() as tx:
        at = await tx.fetch_value(sa.select(db.now()))
        users = user_rows.c
        locked = sa.update(user_rows).where(users.id == user_id, users.is_active.is_(True))
        user = await tx.fetch_one(locked.values(last_login=users.last_login).returning(*users))
        await _still_signed_in(tx, user_id, sid, at)
        return await change(tx, user, at)


async def _by_password(user_id: UUID, sid: UUID, proof: Proof, change: Change[T]) -> T | FieldErrors:
    user = await profile.load_user(user_id)
    wanted = {"current_password": proof.password, "code": proof.code or user.second_factor_at is None}
    if missing := {name: MISSING for name, given in wanted.items() if not given}:
        return missing
    async with attempts.step_up(sid, db.utcnow()) as attempt:
        if not await profile.password_is_right(attempt, proof.password, user, sid):
            return {"current_password": profile.NOT_YOURS}

        async def claimed(tx: Any, at: datetime) -> T:
            if not await login_flow.lock_unchanged(tx, user, {"last_login": user.last_login}):
                raise _ChangedError
            return await change(tx, user, at)

        try:
            if user.second_factor_at is not None:
                done = await second_factor.with_code(user, proof.code, claimed, actor_id=user_id)
                return {"code": WRONG} if done is None else done
            async with db.transaction() as tx:
                return await claimed(tx, await tx.fetch_value(sa.select(db.now())))
        except _ChangedError:  # another request changed the account meanwhile
            await _still_signed_in(db, user_id, sid, db.utcnow())
            return {"current_password": profile.NOT_YOURS}


class _ChangedError(Exception):
    pass


async def _still_signed_in(tx: Any, user_id: UUID, sid: UUID, at: datetime) -> None:
    """Raises SessionEnded if the session is not live."""
    live = sa.select(session_rows.c.id).where(session_rows.c.id == sid, lifetime.is_live(at, of=user_id))
    if await tx.fetch_one(live) is None:
        raise SessionEnded
