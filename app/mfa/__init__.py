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
        "second_factor_off": Notice(
            "success", "Two-factor authentication is off. Your password alone is enough to sign in."
        ),
        "recovery_codes_saved": Notice(
            "success", "Your new recovery codes are valid, and the old ones no longer work."
        ),
        "passkey_added": Notice("success", "The passkey is added. You can sign in with it from now on."),
        "passkey_not_added": Notice(
            "error",
            "No passkey was added: it took too long, or another session began. Add it here.",
        ),
        "passkey_removed": Notice(
            "success", "The passkey is removed. If your device still offers it, delete it there, too."
        ),
        "passkey_not_good": Notice("error", "That passkey was not accepted. Use your password, or try again."),
        "sign_in_again": Notice(
            "info", "That took too long, or something changed in the meantime. Please start again."
        ),
    },
    emails=emails.COMPOSERS,
    maintenance={"void second factors": re_encryption.maintain},
)
