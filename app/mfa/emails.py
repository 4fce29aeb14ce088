"""The e-mails about second factors and passkeys, always to the account's own address.

Chapter: "Transactional e-mail". Source: v5.0.0-6.3.5, v5.0.0-6.3.7.
"""

from functools import partial

from app.auth.accounts.emails import to_the_owner
from app.email.messages import Composer

KINDS = (
    "second_factor_on", "second_factor_off", "second_factor_undone", "second_factor_failed", "recovery_code_used",
    "recovery_codes_made", "passkey_added", "passkey_removed",
)  # fmt: skip
COMPOSERS: dict[str, Composer] = {kind: partial(to_the_owner, kind) for kind in KINDS}
