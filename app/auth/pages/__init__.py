"""Pages of the core: `login` (with /auth/resume and step-up), `signup` (with password reset). And its `FEATURE`.

`device_session` has the two addresses of device-bound sessions.
"""

from app.auth import api, email_links, form_submissions
from app.auth.accounts import account_deletion, emails
from app.auth.pages import device_session, login, session_events, signup
from app.auth.rate_limit import counters
from app.auth.sessions import lifetime, session_cache
from app.web.features import Feature, Notice

FEATURE = Feature(
    name="auth",
    routes=[
        *api.route_patterns,
        *login.route_patterns,
        *device_session.route_patterns,
        *signup.route_patterns,
        *session_events.route_patterns,
    ],
    notices={
        "signed_out": Notice("success", "You are signed out."),
        "session_ended": Notice(
            "warning",
            "Your session was ended because an old token was used again. This happens when a browser restores an "
            "earlier state after a crash, or when somebody copied your session. Sign in again.",
        ),
        "cookies": Notice(
            "error", "Your browser did not store our cookies. Allow cookies for this site, then sign in."
        ),
        "device_unproven": Notice(
            "warning",
            "Your session is bound to the device where you signed in, and this browser could not confirm that it is "
            "that device. Sign in again.",
        ),
        "another_copy": Notice(
            "warning",
            "Another copy of this application on the same host name has overwritten your cookies, or the secret key "
            "has changed. Sign in again. To use two copies at once, open one at localhost and the other at 127.0.0.1.",
        ),
        "form_not_saved": Notice(
            "warning", "Your session had expired, so your form was not saved. Sign in and submit it again."
        ),
        "confirmed": Notice("success", "Your address is confirmed and your account is ready. Sign in."),
        "password_reset": Notice(
            "success",
            "Your new password is set. You are signed out on every device, and your passkeys no longer work. Sign "
            "in with the new password.",
        ),
        "email_changed": Notice("success", "Your new address is confirmed. Sign in with it from now on."),
        "deletion_cancelled": Notice("success", "Welcome back. Your account will not be deleted."),
        "password_change_required": Notice(
            "warning", "Choose a new password before you continue: an administrator requires it."
        ),
        "second_factor_required": Notice(
            "warning", "Administrators of this site need two-factor authentication. Turn it on to use the admin area."
        ),
    },
    emails=emails.COMPOSERS,
    maintenance={
        "accounts": account_deletion.delete_due,
        "mailed links": email_links.prune,
        "sessions": lifetime.prune,
        "cache invalidations": session_cache.prune,
        "rate limit counters": counters.prune,
        "forms": form_submissions.prune,
    },
)
