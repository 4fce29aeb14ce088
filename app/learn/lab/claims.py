"""What each claim of a token means, and how much of its lifetime is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Name -> its meaning, and the standard that defines it.
MEANINGS = {
    "alg": ("Algorithm of the signature. The server compares it with the key's own algorithm and never trusts it.",
            "RFC 7515, 4.1.1"),
    "kid": ("Key id: which of this site's keys signed the token. Keys can be rotated without signing anyone out.",
            "RFC 7515, 4.1.4"),
    "typ": ("Type of the token: at+jwt for access tokens, rt+jwt for refresh tokens.", "RFC 8725, 3.11; RFC 9068, 2.1"),
    "token_type": ("Type of the token again, in the payload: access or refresh.", "this site only"),
    "sub": ("Subject: the id of the user, not a name or an e-mail address.", "RFC 7519, 4.1.2"),
    "sid": ("Session id: one login on one device.", "OpenID Connect"),
    "gen": ("Generation of the token pair. Each refresh increases it by one.", "this site only"),
    "role": ("Role of the user when the token was issued. This site reads the role from the database instead.",
             "this site only"),
    "auth_time": ("Time at which the user last entered the password. Sensitive pages require a recent one.",
                  "OpenID Connect"),
    "iss": ("Issuer: the site that signed the token.", "RFC 7519, 4.1.1"),
    "aud": ("Audience: the site that the token is meant for.", "RFC 7519, 4.1.3"),
    "iat": ("Issued at, in seconds since 1970.", "RFC 7519, 4.1.6"),
    "nbf": ("Not before, in seconds since 1970.", "RFC 7519, 4.1.5"),
    "exp": ("Expiry, in seconds since 1970. From this second on the token is invalid.", "RFC 7519, 4.1.4"),
    "jti": ("Id of the token. In a refresh token it is an HMAC with the session's secret, which a forger of tokens "
            "cannot compute.", "RFC 7519, 4.1.7"),
    "quick": ("Number of refreshes in a row within seconds: a sign that the browser does not store cookies.",
              "this site only"),
    "email": ("A custom claim. Anyone who has the token can read it, and it does not change when the address does.",
              "OpenID Connect"),
}  # fmt: skip
UNKNOWN = ("A custom claim that this site does not know.", "")
TIMES = ("iat", "nbf", "exp", "auth_time")
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True)
class Claim:
    """`timestamp` is set for claims that are times; `counts_down` is true for `exp`."""

    name: str
    value: str
    meaning: str
    source: str
    timestamp: datetime | None = None
    counts_down: bool = False


def explained(part: Mapping[str, Any]) -> list[Claim]:
    return [_explained(name, value) for name, value in part.items()]


def distance(timestamp: datetime, now: datetime) -> str:
    """The difference in its two largest units: "14 minutes 2 seconds left", "3 seconds ago"."""
    seconds, words = int((timestamp - now).total_seconds()), list[str]()
    rest = abs(seconds)
    for unit, length in UNITS:
        count, rest = divmod(rest, length)
        if count or (unit == "second" and not words):
            words.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return f"{' '.join(words[:2])} {'left' if seconds > 0 else 'ago'}"


def _explained(name: str, value: Any) -> Claim:
    meaning, source = MEANINGS.get(name, UNKNOWN)
    timestamp = None
    if name in TIMES and type(value) is int and 0 <= value < 2**35:
        timestamp = datetime.fromtimestamp(value, UTC)
    return Claim(name, str(value), meaning, source, timestamp, name == "exp")
