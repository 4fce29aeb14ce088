"""Errors of authentication and authorisation; `challenges` answers each. No other exception crosses layers."""

from typing import Any


class AuthError(Exception):
    """The request may not go on as it is. `who`: the Principal or Anonymous that a guard looked at; None elsewhere."""

    who: Any = None


class LoginRequired(AuthError):
    """Nobody is signed in: sign in, or exchange the refresh token if there is one (RFC 6750 section 3.1)."""


class SessionEnded(LoginRequired):
    """The token is good but its session is over: no refresh will help."""


class Forbidden(AuthError):
    """Signed in, but not allowed."""


class StepUpRequired(AuthError):
    """Signed in, but the password was typed too long ago (RFC 9470)."""


class PasswordChangeRequired(AuthError):
    """Signed in, but with a password that has to be replaced first."""


class SecondFactorRequired(AuthError):
    """Signed in and allowed, but the site wants a second factor for this."""


class RegistrationClosed(AuthError):
    """The site creates no account this way (APP_REGISTRATION). The same for every address."""


class RetryLater(AuthError):
    """Not now, whoever it is: try again after `seconds`. Says nothing about any account."""

    status = 503

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class TooManyAttempts(RetryLater):
    """A limit was reached (RFC 6585 section 4; the figures are in `attempts`)."""

    status = 429


class Overloaded(RetryLater):
    """More passwords to check than this worker can hold (v5.0.0-15.2.2)."""


class Unavailable(AuthError):
    """Nobody can say whether this token is still good: the database does not answer."""
