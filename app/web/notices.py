"""Notices (flash messages): shown once, to the browser that did the thing.

The redirect after a form names a message of this closed set, `?notice=password_changed`, and leaves the same name in a
cookie. The page shows it where both agree, and expires the cookie. A link that somebody sends around says nothing: it
cannot bring the cookie along, so nobody reads of a change that did not happen.
No seal is on the cookie: `__Host-` keeps other hosts from planting one, and whoever can plant a cookie on this very
host could plant a sealed one of their own.
Source: CWE-451; v5.0.0-3.3.*.
"""

from collections.abc import MutableMapping
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs

from app.settings import get_settings
from app.web import cookies

SECONDS = 60  # from the redirect to the page
# Shown to whoever follows a link: it claims nothing that was done, and a browser without cookies has no other way.
WITHOUT_COOKIE = frozenset({"cookies"})


class Notice(NamedTuple):
    kind: Literal["success", "info", "warning", "error"]
    text: str


NOTICES: dict[str, Notice] = {
    "signed_out": Notice("success", "You are signed out."),
    "session_ended": Notice(
        "warning",
        "Your session was ended because an old sign-in was used again. That happens when a browser restores an earlier "
        "state after a crash, and when somebody copied your session. Sign in again.",
    ),
    "cookies": Notice("error", "Your browser did not keep our cookies. Allow them for this site, then sign in."),
    "another_copy": Notice(
        "warning",
        "Another copy of this application at this host name has put its sign-in in the place of yours, or the secret "
        "has changed. Sign in again. For two copies at once, open one at localhost and the other one at 127.0.0.1.",
    ),
    "form_not_saved": Notice(
        "warning", "Your session had ended, so your form was not saved. Sign in and send it again."
    ),
    "confirmed": Notice("success", "Your address is confirmed and your account is ready. Sign in."),
    "password_reset": Notice(
        "success", "Your new password is set, you are signed out everywhere, and passkeys are void. Sign in with it."
    ),
    "note_saved": Notice("success", "The note is saved."),  # notes
    "note_deleted": Notice("success", "The note is deleted."),  # notes
    "user_deactivated": Notice("success", "The account is deactivated and its sessions are ended."),
    "user_reactivated": Notice("success", "The account is active again."),
    "sessions_ended": Notice("success", "The sessions are ended."),
    "name_changed": Notice("success", "Your name is changed."),
    "password_changed": Notice(
        "success", "Your password is changed. Every other device is signed out; this one goes on."
    ),
    "email_change_requested": Notice(
        "info", "We sent a link to the new address. Your account keeps the old one until you have followed it."
    ),
    "email_changed": Notice("success", "Your new address is confirmed: from now on you sign in with it."),
    "device_signed_out": Notice("success", "That device is signed out."),
    "others_signed_out": Notice("success", "Every other device is signed out."),
    "deletion_requested": Notice(
        "info",
        "Your account is closed and every device is signed out. We sent you a letter with the day on which it will be "
        "deleted: sign in before that day, and it stays.",
    ),
    "deletion_cancelled": Notice("success", "Welcome back. Your account will not be deleted."),
    "session_ended_here": Notice("success", "The session is ended."),
    "user_saved": Notice("success", "The changes are saved."),
    "role_changed": Notice("success", "The role is changed. It counts from the next click on."),
    "user_invited": Notice("success", "The account is made, and an invitation is on its way."),
    "link_sent": Notice("success", "A letter with a link to choose a password is on its way."),
    "new_password_wanted": Notice("success", "The password has to be changed before anything else is open."),
    "new_password_not_wanted": Notice("success", "The password need not be changed any more."),
    "nothing_to_do": Notice("info", "Nothing was changed: it was so already."),
    "email_retried": Notice("success", "The letter is in the queue again."),
    "password_change_required": Notice("warning", "Choose a new password before you go on: an administrator wants it."),
    "second_factor_off": Notice("success", "The second step is off. Your password alone signs you in."),
    "recovery_codes_saved": Notice(
        "success", "Your new recovery codes are good from now on, and the old ones for nothing any more."
    ),
    "second_factor_required": Notice(
        "warning", "Administrators of this site need a second step. Turn it on, and the admin area is open to you."
    ),
    "second_factor_removed": Notice("success", "The second step is off. A password alone signs this person in again."),
    "passkey_added": Notice("success", "The passkey is added: from now on it signs you in."),
    "passkey_removed": Notice("success", "The passkey is removed. Delete it on your device, too."),
    "passkey_not_good": Notice("error", "That passkey did not sign you in. Use your password, or try once more."),
    "sign_in_again": Notice("info", "That took too long, or something changed meanwhile. Begin again, please."),
    "signed_in_again": Notice("success", "Thank you, it is you. You can go on."),
}


def cookie_name() -> str:
    return "__Host-notice" if get_settings().secure_cookies else "notice"


def leave(response: Any, code: str) -> Any:
    """For the page that the response leads to. Errors: KeyError for a code that there is not."""
    if code not in NOTICES:
        raise KeyError(code)
    return response if code in WITHOUT_COOKIE else _set(response, code, SECONDS)


def code_of(scope: MutableMapping[str, Any]) -> str:
    """The message that the address names and this browser may see; "" for none."""
    codes = parse_qs(scope["query_string"].decode("ascii", "replace")).get("notice", [])
    if len(codes) != 1 or codes[0] not in NOTICES:
        return ""
    left = codes[0] in WITHOUT_COOKIE or cookies.read(scope).get(cookie_name()) == codes[0]
    return codes[0] if left else ""


def shown(response: Any) -> Any:
    """Once is enough."""
    return _set(response, "", 0)


def _set(response: Any, value: str, seconds: int) -> Any:
    secure = get_settings().secure_cookies
    response.set_cookie(
        cookie_name(), value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Strict"
    )
    return response
