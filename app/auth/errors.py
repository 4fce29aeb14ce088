"""Errors of authentication and authorisation; `challenges` answers each. No other exception crosses layers."""

from typing import Any


class AuthError(Exception):
    """The request is refused. `who`: the Principal or Anonymous that a permission checked; None if raised elsewhere."""

    who: Any = None


class LoginRequired(AuthError):
    """The request has no valid access token: sign in, or refresh if there is a refresh token (RFC 6750 section 3.1)."""


class SessionEnded(LoginRequired):
    """The access token is valid but its session has ended: a refresh would fail as well."""


class Forbidden(AuthError):
    """Signed in, but not allowed."""


class StepUpRequired(AuthError):
    """Signed in, but the last password entry is too long ago (RFC 9470)."""


class PasswordChangeRequired(AuthError):
    """Signed in, but the user must change the password first."""


class SecondFactorRequired(AuthError):
    """Signed in and allowed, but the site requires a second factor for this."""


class RegistrationClosed(AuthError):
    """The site creates no account this way (APP_REGISTRATION). The same for every address."""


class DeviceBindingRequired(AuthError):
    """Signed in and allowed, but the site wants a session that is bound to a device for this."""


class RetryLater(AuthError):
    """Try again after `seconds`. Raised alike for existing and unknown accounts."""

    status = 503

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class TooManyAttempts(RetryLater):
    """A limit was reached (RFC 6585 section 4; the figures are in `attempts`)."""

    status = 429


class Overloaded(RetryLater):
    """The worker's queue of password checks is full (v5.0.0-15.2.2)."""


class Unavailable(AuthError):
    """The database does not answer, so the token's session cannot be checked."""
