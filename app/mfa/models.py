"""Tables of authenticators, recovery codes (written in `second_factor` alone) and passkeys (in `passkeys`).

Chapter: "The life of an account".
"""

from typing import Any

import edgy
import sqlalchemy as sa

from app import db
from app.db import timestamp

f: Any = edgy.fields


class Authenticator(edgy.StrictModel):
    """What somebody's phone and we have in common.

    `secret` is encrypted under a key of its own (see `keys.encrypt`): unlike a password it has to be read again.
    `last_step`: of the last code that was good, counted in 30 seconds since 1970; no code counts twice.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    user_id = f.UUIDField(unique=True)
    secret = f.CharField(max_length=255, secret=True, exclude=True)
    last_step = f.IntegerField()
    created_at = timestamp()

    class Meta:
        registry = db.registry
        tablename = "authenticators"
        constraints = [
            sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_authenticators_user_id", ondelete="CASCADE"),
        ]


class RecoveryCode(edgy.StrictModel):
    """A way in without the authenticator, once. `digest`: SHA-256 of 120 random bits, which nobody can guess back.

    `saved_at`: since when it is good; not set while its owner has not said that the new codes are saved.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    user_id = f.UUIDField()
    digest = f.CharField(max_length=64, secret=True, exclude=True)
    created_at = timestamp()
    saved_at = timestamp(null=True)
    used_at = timestamp(null=True)

    class Meta:
        registry = db.registry
        tablename = "recovery_codes"
        indexes = [edgy.Index(fields=["user_id"], name="ix_recovery_codes_user_id")]
        constraints = [
            sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_recovery_codes_user_id", ondelete="CASCADE"),
        ]


class Passkey(edgy.StrictModel):
    """A key pair of somebody's device: the public half, and the device's own name for it.

    `credential` is base64url, `public_key` a COSE key (RFC 9053), encrypted so that no other can take its place. `uses`
    is the device's counter, 0 for ever where it has none.
    `backup_eligible`: whether the device may pass it on to others of its owner, which is settled when it is made.
    `backed_up`: whether it had done so when it was used last. Null where nobody has asked a key of before yet.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    user_id = f.UUIDField()
    credential = f.CharField(max_length=1366, unique=True)
    public_key = f.TextField()
    uses = f.BigIntegerField(default=0)
    backup_eligible = f.BooleanField(null=True)
    backed_up = f.BooleanField(null=True)
    name = f.CharField(max_length=80)
    created_at = timestamp()
    last_used_at = timestamp(null=True)

    class Meta:
        registry = db.registry
        tablename = "passkeys"
        indexes = [edgy.Index(fields=["user_id"], name="ix_passkeys_user_id")]
        constraints = [
            sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_passkeys_user_id", ondelete="CASCADE"),
        ]


authenticator_rows: Any = Authenticator.table
recovery_rows: Any = RecoveryCode.table
passkey_rows: Any = Passkey.table
