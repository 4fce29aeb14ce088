"""Re-encryption after a key rotation, and deletion of void rows."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app import db
from app.auth import keys
from app.auth.models import user_rows
from app.mfa import passkeys, second_factor
from app.mfa.models import authenticator_rows, passkey_rows, recovery_rows
from app.observability import logs

log = logs.get("auth")

# Table, column, label of `keys.encrypt`, and the context that a row's value is bound to.
ENCRYPTED: tuple[tuple[Any, str, str, Callable[[Any], str]], ...] = (
    (authenticator_rows, "secret", second_factor.LABEL, lambda row: str(row.user_id)),
    (passkey_rows, "public_key", passkeys.LABEL, lambda row: passkeys.bound_to(row.user_id, row.credential)),
)


async def maintain(now: datetime) -> int:
    """Delete void rows and re-encrypt the others. Returns how many rows were deleted.

    Run hourly, so the last step of `rotate-keys` leaves no row unreadable.
    """
    void = await clear()
    await re_encrypt()
    return void


async def re_encrypt() -> int:
    """Encrypt again, under the signing secret, every value that an older secret encrypted. Returns how many."""
    done = 0
    for table, column, label, whose in ENCRYPTED:
        old = ~table.c[column].startswith(keys.prefixes(label)[0], autoescape=True)
        for row in await db.fetch_all(sa.select(table).where(old)):
            written = getattr(row, column)
            text = keys.decrypt(label, written, of=whose(row))
            if text is None:
                log.error("factor_unreadable", user=logs.pseudonym(row.user_id))
                continue
            anew = {column: keys.encrypt(label, text, of=whose(row))}
            done += await db.execute(
                sa.update(table).where(table.c.id == row.id, table.c[column] == written).values(anew)
            )
    return done


async def clear() -> int:
    """Delete factors and passkeys that became void when their owner recovered the account. Returns how many."""
    off = sa.select(user_rows.c.id).where(user_rows.c.second_factor_at.is_(None))
    void = sa.exists().where(user_rows.c.id == passkey_rows.c.user_id, ~passkeys.VALID)
    over = {authenticator_rows: authenticator_rows.c.user_id.in_(off), recovery_rows: recovery_rows.c.user_id.in_(off)}
    over[passkey_rows] = void
    return sum([await db.prune(table, condition) for table, condition in over.items()])


async def unreadable() -> int:
    """Count rows that no configured secret decrypts: their owners need a recovery code or a password. For `doctor`."""
    count = 0
    for table, column, label, _ in ENCRYPTED:
        ours = sa.or_(*(table.c[column].startswith(name, autoescape=True) for name in keys.prefixes(label)))
        count += await db.fetch_value(sa.select(sa.func.count()).select_from(table).where(~ours))
    return count
