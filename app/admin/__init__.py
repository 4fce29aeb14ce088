"""The admin area: users, sessions, the audit log and the e-mail queue, as pages and as JSON API."""

from app.admin import actions, api, downloads, email_queue_pages, pages
from app.web.features import Feature, Link, Notice, first_admin_tab, signed_in

FEATURE = Feature(
    name="admin",
    routes=[  # /admin/users/new is no person's id
        *downloads.route_patterns, *email_queue_pages.route_patterns, *actions.route_patterns, *pages.route_patterns,
        *api.route_patterns,
    ],
    navigation=[Link(first_admin_tab, "Admin", signed_in)],
    admin_tabs={
        "/admin": "Overview",
        "/admin/users": "Users",
        "/admin/audit": "Audit log",
        "/admin/mail": "E-mail queue",
    },
    notices={
        "user_deactivated": Notice("success", "The account is deactivated and its sessions have ended."),
        "user_reactivated": Notice("success", "The account is active again."),
        "sessions_ended": Notice("success", "The sessions have ended."),
        "session_ended_here": Notice("success", "The session has ended."),
        "user_saved": Notice("success", "The changes are saved."),
        "role_changed": Notice("success", "The role is changed. It takes effect with the next request."),
        "user_invited": Notice("success", "The account is created, and an invitation is on its way."),
        "link_sent": Notice("success", "An e-mail with a link to choose a password is on its way."),
        "new_password_wanted": Notice("success", "The user has to change the password before they can use other "
        "pages."),
        "new_password_not_wanted": Notice("success", "The password no longer has to be changed."),
        "nothing_to_do": Notice("info", "Nothing was changed: it was already done."),
        "email_retried": Notice("success", "The e-mail is in the queue again."),
        "second_factor_removed": Notice(
            "success", "Two-factor authentication is off. This user signs in with the password alone."
        ),
    },
)  # fmt: skip
