"""The account pages: profile, password, e-mail address, sessions, activity, data export, account deletion.

This package contains only pages; `auth.accounts` makes the changes.
"""

from app.account import data_export, email, pages, sessions, stolen_session, well_known
from app.web.features import Feature, Notice

FEATURE = Feature(
    name="account",
    routes=[
        *pages.route_patterns, *email.route_patterns, *sessions.route_patterns, *data_export.route_patterns,
        *stolen_session.route_patterns, *well_known.route_patterns,
    ],
    notices={
        "name_changed": Notice("success", "Your name is changed."),
        "password_changed": Notice(
            "success", "Your password is changed. Every other device is signed out; this one stays signed in."
        ),
        "email_change_requested": Notice(
            "info", "We sent a link to the new address. Your account keeps the old address until you open it."
        ),
        "device_signed_out": Notice("success", "That device is signed out."),
        "others_signed_out": Notice("success", "Every other device is signed out."),
        "reuse_was_owner": Notice("success", "Thank you. Nothing else has to be done."),
        "deletion_requested": Notice(
            "info",
            "Your account is scheduled for deletion and every device is signed out. We sent you an e-mail with the "
            "date. Sign in before then to keep it.",
        ),
    },
)  # fmt: skip
