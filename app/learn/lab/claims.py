"""What each part of a token says, in words, and how long it still counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Name -> what it means, and where it is defined.
MEANINGS = {
    "alg": ("The algorithm of the signature. Compared with the key's own, never believed.", "RFC 7515, 4.1.1"),
    "kid": ("Which key of the ring signed it, so that keys can change without logging anybody out.", "RFC 7515, 4.1.4"),
    "typ": ("What kind of token it is: at+jwt to enter, rt+jwt to renew.", "RFC 8725, 3.11; RFC 9068, 2.1"),
    "token_type": ("The same once more, inside what is signed: access or refresh.", "this site's own"),
    "sub": ("The subject: whose token it is. An id that says nothing about the person.", "RFC 7519, 4.1.2"),
    "sid": ("The session it belongs to: one login on one device.", "OpenID Connect"),
    "gen": ("Which generation of the session's pairs. It goes up by one with each renewal.", "this site's own"),
    "role": ("A copy of the role, for whoever reads the token elsewhere. Here the row decides.", "this site's own"),
    "auth_time": ("When the password was last typed. Dangerous pages ask for a recent one.", "OpenID Connect"),
    "iss": ("The issuer: the site that signed it.", "RFC 7519, 4.1.1"),
    "aud": ("The audience: the site it is meant for.", "RFC 7519, 4.1.3"),
    "iat": ("Issued at, in seconds since 1970.", "RFC 7519, 4.1.6"),
    "nbf": ("Not before, in seconds since 1970.", "RFC 7519, 4.1.5"),
    "exp": ("It is over from this second on.", "RFC 7519, 4.1.4"),
    "jti": ("The token's own number. In a refresh token it proves that the session's secret made it.",
            "RFC 7519, 4.1.7"),
    "quick": ("How many renewals came within seconds of each other: cookies that do not stick.", "this site's own"),
    "email": ("A custom claim. Whoever holds the token can read it, and it goes stale.", "OpenID Connect"),
}  # fmt: skip
UNKNOWN = ("A custom claim: nobody here knows it.", "")
TIMES = ("iat", "nbf", "exp", "auth_time")
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True)
class Claim:
    """`moment` for times alone; `counts_down` for the one that ends it."""

    name: str
    value: str
    meaning: str
    source: str
    timestamp: datetime | None = None
    counts_down: bool = False


def explained(part: Mapping[str, Any]) -> list[Claim]:
    return [_explained(name, value) for name, value in part.items()]


def distance(timestamp: datetime, now: datetime) -> str:
    """How far off, in its two largest units: "14 minutes 2 seconds left", "3 seconds ago"."""
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
