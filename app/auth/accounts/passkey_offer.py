"""The offer to add a passkey, made in the answer to a sign-in with the password, and the proof that goes with it.

To add a passkey takes the password in the same form (see `mfa.proofs`): a session's cookie is no proof, because a copy
is as good as the original. The answer to a sign-in is one, for who reads it has just sent the password. So it has the
challenge that the new passkey signs, good for PROOF_LIFETIME, once, in this session. It stands in the fragment of the
address: in no cookie, no request, no log. Without it the page of the offer only leads to the form with the password.
Chapter: "The life of an account". Source: v5.0.0-7.5.1; NIST SP 800-63B-4 section 4.1.2.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.auth import keys, tokens
from app.auth.models import user_rows
from app.auth.tokens import TokenPair

AGAIN_AFTER = timedelta(days=30)
PROOF_LIFETIME = timedelta(minutes=5)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def purpose(sid: UUID) -> str:
    """The purpose of the challenge, in this session alone."""
    return f"add after sign-in {sid}"


async def made(tx: Any, user: Any, pair: TokenPair, now: datetime) -> str:
    """The challenge to offer with, in the transaction that has started the session of `pair`; "" if none is due."""
    after = user.passkey_offer_after
    session = tokens.read(pair.access_token, "access", now)
    if session is None or user.must_change_password or (after is not None and after > now):
        return ""
    await tx.execute(_offer_after(user.id, now + AGAIN_AFTER))
    return keys.challenge(purpose(session.sid), now + PROOF_LIFETIME)


async def stop(tx: Any, user_id: UUID) -> None:
    """Offer none any more: the owner said no, or has a passkey."""
    await tx.execute(_offer_after(user_id, NEVER))


def _offer_after(user_id: UUID, at: datetime) -> Any:
    return sa.update(user_rows).where(user_rows.c.id == user_id).values(passkey_offer_after=at)
