"""Tables of authenticators, recovery codes and passkeys.

Chapter: "The life of an account".
"""

from typing import Any

import edgy
import sqlalchemy as sa

from app import db
from app.db import timestamp

f: Any = edgy.fields


class Authenticator(edgy.StrictModel):
    """The TOTP secret of a user's authenticator app.

    `secret` is encrypted (see `keys.encrypt`): unlike a password, it has to be read again. `last_step`: the step of the
    last accepted code, in units of 30 seconds since 1970; no code is accepted twice.
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
    """A one-time code for login without the authenticator. `digest`: SHA-256 of 120 random bits, as hex.

    `saved_at`: since when the code is valid; not set until the owner confirms that the new codes are saved.
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
    """A passkey: the public key of a device's key pair and its credential id (WebAuthn).

    `credential` is base64url. `public_key` is a COSE key (RFC 9053), encrypted with authentication, so it cannot be
    replaced by another one. `uses` is the device's signature counter, always 0 if the device has none.
    `aaguid`: the kind of authenticator (see `authenticators`), "" if the browser did not tell.
    `backup_eligible`: whether the owner's other devices may get a copy, fixed at creation. `backed_up`: whether a copy
    existed at the last use. Both are null for older passkeys that were not used since the columns exist.
    """

    id = f.UUIDField(primary_key=True, default=db.uuid7)
    user_id = f.UUIDField()
    credential = f.CharField(max_length=1366, unique=True)
    public_key = f.TextField()
    uses = f.BigIntegerField(default=0)
    aaguid = f.CharField(max_length=36, default="")
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
