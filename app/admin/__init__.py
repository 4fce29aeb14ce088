"""The admin area: users, sessions, the audit log and the e-mail queue, as pages and as JSON API."""

from app.admin import actions, api, downloads, email_queue_pages, pages
from app.web.features import Feature, Link, Notice, admins

FEATURE = Feature(
    name="admin",
    routes=[  # /admin/users/new is no person's id
        *downloads.route_patterns, *email_queue_pages.route_patterns, *actions.route_patterns, *pages.route_patterns,
        *api.route_patterns,
    ],
    navigation=[Link("/admin", "Admin", admins)],
    admin_tabs={
        "/admin": "Overview",
        "/admin/users": "Users",
        "/admin/audit": "Audit trail",
        "/admin/mail": "Mail",
    },
    notices={
        "user_deactivated": Notice("success", "The account is deactivated and its sessions are ended."),
        "user_reactivated": Notice("success", "The account is active again."),
        "sessions_ended": Notice("success", "The sessions are ended."),
        "session_ended_here": Notice("success", "The session is ended."),
        "user_saved": Notice("success", "The changes are saved."),
        "role_changed": Notice("success", "The role is changed. It counts from the next click on."),
        "user_invited": Notice("success", "The account is made, and an invitation is on its way."),
        "link_sent": Notice("success", "A letter with a link to choose a password is on its way."),
        "new_password_wanted": Notice("success", "The password has to be changed before anything else is open."),
        "new_password_not_wanted": Notice("success", "The password need not be changed any more."),
        "nothing_to_do": Notice("info", "Nothing was changed: it was so already."),
        "email_retried": Notice("success", "The letter is in the queue again."),
        "second_factor_removed": Notice(
            "success", "The second step is off. A password alone signs this person in again."
        ),
    },
)  # fmt: skip
