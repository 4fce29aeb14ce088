"""The audit log: one closed vocabulary of events, one writer, no secrets. `queries` reads it.

Chapter: "The audit log". Source: OWASP Logging; v5.0.0-16.2.1, v5.0.0-16.3.*.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.observability import logs, metrics
from app.web import client

log = logs.get("audit")

LOGIN = "login"
LOGIN_FAILED = "login_failed"
LOGIN_THROTTLED = "login_throttled"
LOGOUT = "logout"
STEP_UP = "step_up"
STEP_UP_FAILED = "step_up_failed"
SESSION_ROTATED = "session_rotated"
SESSION_REPLAYED = "session_replayed"
SESSION_RETRY_REQUESTED = "session_retry_requested"
SESSION_REUSED = "session_reused"
SESSION_REVOKED = "session_revoked"
SESSION_REUSE_ANSWERED = "session_reuse_answered"
SESSION_BOUND = "session_bound"
SESSION_PROOF_MISSING = "session_proof_missing"
REFRESH_FROM_THE_FUTURE = "refresh_from_the_future"
REFRESH_THROTTLED = "refresh_throttled"
ACCESS_DENIED = "access_denied"
USER_DEACTIVATED = "user_deactivated"
USER_REACTIVATED = "user_reactivated"
ROLE_CHANGED = "role_changed"
PASSWORD_REHASHED = "password_rehashed"  # noqa: S105 - the name of an event
PASSWORD_CHANGED = "password_changed"  # noqa: S105
PASSWORD_RESET_REQUESTED = "password_reset_requested"  # noqa: S105
PASSWORD_RESET = "password_reset"  # noqa: S105
REGISTERED = "registered"
EMAIL_CHANGE_REQUESTED = "email_change_requested"
EMAIL_CHANGED = "email_changed"
EMAIL_CHANGE_UNDONE = "email_change_undone"
NAME_CHANGED = "name_changed"
NEW_DEVICE = "new_device"
DELETION_REQUESTED = "deletion_requested"
DELETION_CANCELLED = "deletion_cancelled"
ACCOUNT_DELETED = "account_deleted"
DATA_EXPORTED = "data_exported"
SECOND_FACTOR_ON = "second_factor_on"
SECOND_FACTOR_OFF = "second_factor_off"
SECOND_FACTOR_REQUESTED = "second_factor_requested"
SECOND_FACTOR_FAILED = "second_factor_failed"
SECOND_FACTOR_REMOVED = "second_factor_removed"
SECOND_FACTOR_UNDONE = "second_factor_undone"
RECOVERY_CODE_USED = "recovery_code_used"
RECOVERY_CODES_MADE = "recovery_codes_made"
PASSKEY_ADDED = "passkey_added"
PASSKEY_REMOVED = "passkey_removed"
PASSKEY_REFUSED = "passkey_refused"
USER_INVITED = "user_invited"
PASSWORD_RESET_SENT = "password_reset_sent"  # noqa: S105
PASSWORD_CHANGE_REQUIRED = "password_change_required"  # noqa: S105
PASSWORD_CHANGE_NOT_REQUIRED = "password_change_not_required"  # noqa: S105
USERS_EXPORTED = "users_exported"
AUDIT_EXPORTED = "audit_exported"
EMAIL_RETRIED = "email_retried"

# Event -> the text that the owner of the account reads.
EVENT_TEXT = {
    LOGIN: "Signed in",
    LOGIN_FAILED: "Wrong password entered at sign-in",
    LOGIN_THROTTLED: "Too many wrong passwords or codes: further attempts have to wait",
    LOGOUT: "Signed out",
    STEP_UP: "Password confirmed",
    STEP_UP_FAILED: "Wrong password entered to confirm an action",
    SESSION_ROTATED: "Session renewed",
    SESSION_REPLAYED: "Session renewed again, because a response was lost or two tabs renewed it at once",
    SESSION_RETRY_REQUESTED: "A late request used a token that had just been renewed, and was told to retry",
    SESSION_REUSED: "An old token was used again: it may have been stolen, so the session was ended",
    SESSION_REVOKED: "Session ended",
    SESSION_REUSE_ANSWERED: "Said who used the old token",
    SESSION_BOUND: "Session bound to this device",
    SESSION_PROOF_MISSING: "Renewal refused: the request did not prove that it came from the device of the session",
    REFRESH_FROM_THE_FUTURE: "A token was used that was never issued",
    REFRESH_THROTTLED: "Too many renewals at once: further renewals had to wait",
    ACCESS_DENIED: "Access denied",
    USER_DEACTIVATED: "Account deactivated",
    USER_REACTIVATED: "Account reactivated",
    ROLE_CHANGED: "Role changed",
    PASSWORD_REHASHED: "Stored password hash updated",
    PASSWORD_CHANGED: "Password changed",
    PASSWORD_RESET_REQUESTED: "Password reset link sent",
    PASSWORD_RESET: "Password reset with a link",
    REGISTERED: "Account created",
    EMAIL_CHANGE_REQUESTED: "Change of the e-mail address requested",
    EMAIL_CHANGED: "E-mail address changed",
    EMAIL_CHANGE_UNDONE: "Change of the e-mail address undone",
    NAME_CHANGED: "Name changed",
    NEW_DEVICE: "Signed in on a new device",
    DELETION_REQUESTED: "Account deletion requested",
    DELETION_CANCELLED: "Account deletion cancelled",
    ACCOUNT_DELETED: "Account deleted",
    DATA_EXPORTED: "Data exported",
    SECOND_FACTOR_ON: "Two-factor authentication turned on",
    SECOND_FACTOR_OFF: "Two-factor authentication turned off",
    SECOND_FACTOR_REQUESTED: "Correct password entered, second factor requested",
    SECOND_FACTOR_FAILED: "Wrong code entered for two-factor authentication",
    SECOND_FACTOR_REMOVED: "Two-factor authentication turned off by an administrator",
    SECOND_FACTOR_UNDONE: "Two-factor authentication turned off by a link that restored the account",
    RECOVERY_CODE_USED: "Recovery code used",
    RECOVERY_CODES_MADE: "New recovery codes created",
    PASSKEY_ADDED: "Passkey added",
    PASSKEY_REMOVED: "Passkey removed",
    PASSKEY_REFUSED: "A passkey of this account was refused",
    USER_INVITED: "Invitation sent",
    PASSWORD_RESET_SENT: "Password reset link sent by an administrator",
    PASSWORD_CHANGE_REQUIRED: "Password change required by an administrator",
    PASSWORD_CHANGE_NOT_REQUIRED: "Password change no longer required",
    USERS_EXPORTED: "List of users exported",
    AUDIT_EXPORTED: "Audit log exported",
    EMAIL_RETRIED: "Undelivered e-mail queued again",
}

# Why a session ended (sessions.revoked_for, and the detail of session_revoked).
LOGGED_OUT = "logout"
REPLACED = "replaced"
REUSED = "reuse"
DEACTIVATED = "deactivated"
ENDED_BY_ADMIN = "ended_by_admin"
ENDED_BY_OWNER = "ended_by_owner"
CREDENTIALS_CHANGED = "credentials_changed"  # a new password, address or second factor ended other sessions, or all
ACCOUNT_DELETION = "closed"  # the owner requested account deletion

# Reason -> the text that the owner of the session reads.
REASON_TEXT = {
    LOGGED_OUT: "Signed out on that device",
    REPLACED: "Replaced: signed in again on that device, or password confirmed",
    REUSED: "An old token was used again: it may have been stolen",
    DEACTIVATED: "The account was deactivated",
    ENDED_BY_ADMIN: "Ended by an administrator",
    ENDED_BY_OWNER: "Signed out from another device",
    CREDENTIALS_CHANGED: "The password, the e-mail address or two-factor authentication was changed",
    ACCOUNT_DELETION: "Account deletion was requested",
}
REASONS = tuple(REASON_TEXT)

RECORDED = sa.insert(event_rows)  # built once at import; the values: see `row`


async def record(event: str, *, tx: Any = db, **what: Any) -> None:
    """Write one row, in the caller's transaction `tx` or on its own. `what` and errors: see `row`."""
    written = row(event, **what)
    await tx.execute(RECORDED, written)
    if isinstance(tx, db.Transaction):
        tx.after_commit.append(lambda: log_event(written))
    else:
        log_event(written)


def log_event(written: dict[str, Any]) -> None:
    """Log a committed row and count it in the metrics; users and sessions by pseudonym (v5.0.0-16.3.*)."""
    metrics.EVENTS.labels(written["event"]).inc()
    owner, actor, session = (logs.pseudonym(written[name]) for name in ("user_id", "actor_id", "session_id"))
    log.info(written["event"], user=owner, actor=actor, session=session, ip=written["ip"], detail=written["detail"])


def row(
    event: str,
    *,
    user_id: UUID | None = None,
    actor_id: UUID | None = None,
    session_id: UUID | None = None,
    detail: str = "",
    at: datetime | None = None,
    browser: client.Client | None = None,
) -> dict[str, Any]:
    """The values of a row of the audit log.

    `user_id`: the account. `actor_id`: who did it, None if not signed in. `detail`: at most 255 characters of our own
    vocabulary, never text that a visitor sent. `browser`: the client, if it is not that of the current request.
    Errors: KeyError for an event outside the vocabulary.
    """
    EVENT_TEXT[event]
    browser = browser or client.current()
    return {
        "id": db.uuid7(),
        "at": at or db.utcnow(),
        "event": event,
        "user_id": user_id,
        "actor_id": actor_id,
        "session_id": session_id,
        "ip": browser.ip,
        "user_agent": browser.user_agent,
        "request_id": browser.request_id,
        "detail": detail,
    }


def reason_text(reason: str | None) -> str:
    """Why a session ended, as text for its owner. `reason`: the row's `revoked_for`, None if it expired."""
    return REASON_TEXT.get(reason or "", "Expired: not used for too long, or past its maximum lifetime")


def explained(event: Any) -> str:
    """What the event's text leaves open: why a session ended, or where a passkey is kept. "" for other events."""
    if event.event in (PASSKEY_ADDED, PASSKEY_REMOVED):
        return str(event.detail)
    return REASON_TEXT.get(event.detail, "") if event.event == SESSION_REVOKED else ""


def described(event: Any) -> dict[str, Any]:
    """An event's row as text for the owner of the account: what the template macro `timeline` shows."""
    somebody_else = event.actor_id is not None and event.actor_id != event.user_id
    return {
        "at": event.at,
        "kind": event.event,
        "text": EVENT_TEXT[event.event],
        "because": explained(event),
        "by_admin": somebody_else,
        "ip": event.ip,
        "device": client.device(event.user_agent) if event.user_agent else "",
    }
