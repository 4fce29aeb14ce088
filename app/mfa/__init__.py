"""The second factor: TOTP codes of an authenticator, recovery codes, and passkeys.

`app.auth` knows only whether a second factor is on (`users.second_factor_at`). A correct password then starts no
session; the browser gets a ticket instead (`auth.mfa_ticket`), and ticket and code together start the session here. A
passkey starts a session in one step.
"""

from app.mfa import api, emails, pages, passkey_pages, re_encryption
from app.web.features import Feature, Notice

FEATURE = Feature(
    name="mfa",
    routes=[*pages.route_patterns, *passkey_pages.route_patterns, *api.route_patterns],
    notices={
        "second_factor_off": Notice("success", "The second step is off. Your password alone signs you in."),
        "recovery_codes_saved": Notice(
            "success", "Your new recovery codes are good from now on, and the old ones for nothing any more."
        ),
        "passkey_added": Notice("success", "The passkey is added: from now on it signs you in."),
        "passkey_removed": Notice("success", "The passkey is removed. Delete it on your device, too."),
        "passkey_not_good": Notice("error", "That passkey did not sign you in. Use your password, or try once more."),
        "sign_in_again": Notice("info", "That took too long, or something changed meanwhile. Begin again, please."),
    },
    emails=emails.COMPOSERS,
    maintenance={"void second factors": re_encryption.maintain},
)
