"""The claims of our tokens, as a class of the framework's `Token`, and the checks of their types and times.

`tokens` creates and verifies the tokens; nothing else makes one of these.
Chapter: "Claims". Source: RFC 7519 sections 2 and 4; RFC 9068. Patterns: custom-claims, app-token.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, field_validator
from ravyn.security.jwt.token import Token

Kind = Literal["access", "refresh"]

EARLY = timedelta(seconds=120)  # how far `iat` and `nbf` may lie in the future: clocks differ. `exp` has no leeway


class AppToken(Token):
    """The framework's Token with our claims: the base class drops claims that it does not declare."""

    token_type: Kind
    sid: UUID
    gen: int
    role: str | None = None
    auth_time: int | None = None
    quick: int | None = None
    nbf: datetime | None = None
    kid: str = Field(default="", exclude=True)  # from the header: the key that verified the token

    def is_access_token(self) -> bool:
        return self.token_type == "access"

    def is_refresh_token(self) -> bool:
        return self.token_type == "refresh"

    @field_validator("exp", "iat", "nbf", mode="before")
    @classmethod
    def _numeric_date(cls, value: Any) -> Any:
        """A whole number (RFC 7519 section 2, NumericDate). The base class also accepts "2031-01-01" and true."""
        if isinstance(value, datetime):
            return value
        if type(value) is not int or not 0 <= value < 2**35:
            raise ValueError("not a NumericDate")
        return datetime.fromtimestamp(value, UTC)

    @field_validator("gen", "auth_time", "quick", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        if value is not None and (type(value) is not int or not 0 <= value < 2**35):
            raise ValueError("not a whole number")
        return value

    # The base class compares with the system clock while parsing, without leeway. `not_in_time` compares with `now`.
    @field_validator("exp")
    @classmethod
    def validate_expiration(cls, date: datetime) -> datetime:
        return date

    @field_validator("iat")
    @classmethod
    def validate_iat(cls, date: datetime) -> datetime:
        return date


def not_in_time(token: AppToken, now: datetime) -> str | None:
    """The claim, "exp" or "iat", that makes the token invalid at `now`; None if the times are valid.

    A token is invalid from the second of `exp` on (RFC 7519 section 4.1.4). "iat" covers `nbf` too.
    """
    if now >= token.exp:
        return "exp"
    if token.iat > now + EARLY or (token.nbf and token.nbf > now + EARLY):
        return "iat"
    return None
