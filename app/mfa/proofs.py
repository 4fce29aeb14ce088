"""A proof in the very form: the password, with a code where the second factor is on, or a passkey.

For whatever outlives the session that asks for it: how somebody signs in, and who may do what. A recent sign-in is no
proof, for a copy of a session's cookie is signed in as recently as its owner. Guesses count as at step-up and sign-in.
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
from app.auth.models import session_rows
from app.auth.rate_limit import attempts
from app.auth.sessions import rotation
from app.mfa import passkeys, second_factor, webauthn

MISSING = "Please fill this in."
WRONG = "That code is not right, was used already, or is over. Type the one that is shown now."
NOT_GOOD = "That passkey was not good here. Use your password, or try once more."

T = TypeVar("T")
Change = Callable[[Any, Any, datetime], Awaitable[T]]  # the transaction, the user's row, now


class Proof(NamedTuple):
    """What came with the form. `code`: of the authenticator or a recovery code. `passkey`: an answer to `to_prove`."""

    password: str = ""
    code: str = ""
    passkey: str = ""


def to_prove(sid: UUID) -> dict[str, Any]:
    """What the browser needs to have a passkey sign the proof, in this session alone."""
    return webauthn.to_sign(webauthn.proving(sid))


async def given(user: Any, proof: Proof) -> FieldErrors:
    """Is the proof good? For what has a transaction of its own, which asks once more whether the session lives.

    `user`: who is signed in. No faults: it is. Raises TooManyAttempts, Overloaded, SessionEnded.
    """

    async def nothing(*_: Any) -> FieldErrors:
        return {}

    return await proved(user.id, user.sid, proof, nothing)


async def proved(user_id: UUID, sid: UUID, proof: Proof, change: Change[T]) -> T | FieldErrors:
    """Make the change if the proof is good, in one transaction; else what is wrong, which is counted."""

    async def here(tx: Any, user: Any, at: datetime) -> T:
        await _still_signed_in(tx, user_id, sid, at)  # while the form was filled in, or its owner was asked
        return await change(tx, user, at)

    if proof.passkey:
        done = await passkeys.prove(user_id, webauthn.proving(sid), proof.passkey, here)
        return {"passkey": NOT_GOOD} if done is None else done
    return await _by_password(user_id, sid, proof, here)


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
                done = await second_factor.for_a_code(user, proof.code, claimed, actor_id=user_id)
                return {"code": WRONG} if done is None else done
            async with db.transaction() as tx:
                return await claimed(tx, await tx.fetch_value(sa.select(db.now())))
        except _ChangedError:  # by another request meanwhile
            await _still_signed_in(db, user_id, sid, db.utcnow())
            return {"current_password": profile.NOT_YOURS}


class _ChangedError(Exception):
    pass


async def _still_signed_in(tx: Any, user_id: UUID, sid: UUID, at: datetime) -> None:
    """Raises SessionEnded."""
    live = sa.select(session_rows.c.id).where(session_rows.c.id == sid, rotation.is_live(at, of=user_id))
    if await tx.fetch_one(live) is None:
        raise SessionEnded
