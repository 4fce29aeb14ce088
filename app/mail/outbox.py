"""The outbox: a letter is written down in the transaction that is the reason for it, so none is lost or sent too early.

A request only ever inserts one row here. Whether there is anybody to write to, and what to say, is found out later by
the sender: the request takes the same time for an address that has an account and for one that has not.
Chapter: "Letters". Source: v5.0.0-6.3.8 (no telling accounts apart), OWASP Forgot Password.
"""

import json
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.mail.models import letter_rows


async def put(tx: Any, kind: str, *, recipient: str = "", user_id: UUID | None = None, **facts: str) -> UUID:
    """Owe somebody a letter, in the caller's transaction. Returns its id.

    `recipient`: where to; "" means the address that the account of `user_id` has when the letter goes out. `facts` are
    short texts out of our own vocabulary, ids, addresses: never a token, a password or anything to be kept secret.
    """
    letter_id = db.uuid7()
    values = {
        "id": letter_id,
        "kind": kind,
        "recipient": recipient,
        "user_id": user_id,
        "facts": json.dumps(facts),
        "created_at": db.now(),
        "next_try_at": db.now(),
    }
    await tx.execute(sa.insert(letter_rows).values(values))
    return letter_id
