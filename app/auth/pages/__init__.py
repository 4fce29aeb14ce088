"""Pages of the core: `login` (with /auth/resume and step-up), `signup` (with password reset). And its `FEATURE`."""

from app.auth import api, email_links, form_submissions
from app.auth.accounts import account_deletion, emails
from app.auth.pages import login, signup
from app.auth.rate_limit import counters
from app.auth.sessions import rotation, session_cache
from app.web.features import Feature, Notice

FEATURE = Feature(
    name="auth",
    routes=[*api.route_patterns, *login.route_patterns, *signup.route_patterns],
    notices={
        "signed_out": Notice("success", "You are signed out."),
        "session_ended": Notice(
            "warning",
            "Your session was ended because an old sign-in was used again. That happens when a browser restores an "
            "earlier state after a crash, and when somebody copied your session. Sign in again.",
        ),
        "cookies": Notice("error", "Your browser did not keep our cookies. Allow them for this site, then sign in."),
        "another_copy": Notice(
            "warning",
            "Another copy of this application at this host name has put its sign-in in the place of yours, or the "
            "secret has changed. Sign in again. For two copies at once, open one at localhost and the other one at "
            "127.0.0.1.",
        ),
        "form_not_saved": Notice(
            "warning", "Your session had ended, so your form was not saved. Sign in and send it again."
        ),
        "confirmed": Notice("success", "Your address is confirmed and your account is ready. Sign in."),
        "password_reset": Notice(
            "success",
            "Your new password is set, you are signed out everywhere, and passkeys are void. Sign in with it.",
        ),
        "email_changed": Notice("success", "Your new address is confirmed: from now on you sign in with it."),
        "deletion_cancelled": Notice("success", "Welcome back. Your account will not be deleted."),
        "password_change_required": Notice(
            "warning", "Choose a new password before you go on: an administrator wants it."
        ),
        "second_factor_required": Notice(
            "warning", "Administrators of this site need a second step. Turn it on, and the admin area is open to you."
        ),
    },
    emails=emails.COMPOSERS,
    maintenance={
        "accounts": account_deletion.delete_due,
        "mailed links": email_links.prune,
        "sessions": rotation.prune,
        "changes": session_cache.prune,
        "throttle counters": counters.prune,
        "forms": form_submissions.prune,
    },
)
