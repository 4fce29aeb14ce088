"""The list of all checks for one token, with the result and the source line of each.

This module makes no checks. `tokens.refused_by` and `session_cache.rejected_by` run the real ones and return the name
of the first that fails; this module has the explanation and the source line of each name.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.auth import claims, tokens
from app.auth.sessions import session_cache
from app.learn.lab import sources
from app.learn.lab.sources import Place

PASSED, FAILED, NOT_REACHED = "passed", "failed", "not reached"

# Check -> heading, explanation, and where it is: a function (or class) and a part of the source line.
ABOUT: dict[str, tuple[str, str, Any, str]] = {
    "characters": (
        "Characters",
        "The token is three parts of base64url, separated by dots, and at most 4096 characters long. Padding, spaces "
        "and missing or empty parts are refused here, because the JWT library accepts some of them.",
        tokens._read, "SHAPE.fullmatch",
    ),
    "header": (
        "Header",
        "The header is a JSON object with exactly alg, kid and typ. A header with a key or the address of a key (jwk, "
        "jku, x5u) or with extensions (crit) is refused.",
        tokens._key_of, "set(header)",
    ),
    "typ": ("Type in the header", "typ is at+jwt, the type of access tokens. Any other type of token is refused.",
            tokens._key_of, 'header["typ"]'),
    "kid": ("Key id", "kid names a key in this site's configuration. It is never used as a file name or an address.",
            tokens._key_of, "keys.find"),
    "alg": ("Algorithm", "alg is the algorithm of that key. The header never selects the algorithm.",
            tokens._key_of, 'header["alg"]'),
    "signature": ("Signature", "The key verifies the signature of header and payload.",
                  tokens._read, "key.verifies"),
    "required": ("Required claims", "The payload is a JSON object with exp, iat, iss, aud, sub and jti.",
                 tokens._read, '"require"'),
    "iss": ("Issuer", "iss is this site. Another site with the same key is refused.", tokens._read, "issuer="),
    "aud": ("Audience", "aud is this site, as a single string. A list of audiences is refused.",
            tokens._read, "audience="),
    "claims": ("Format of the claims", "Ids are UUIDs; times and generations are whole numbers.",
               claims.AppToken, "class AppToken"),
    "token_type": ("Type in the claims", "token_type is access: the payload repeats the type.",
                   tokens._read, "token.token_type != kind"),
    "exp": ("Expiry", "The current time is before exp. There is no leeway.", claims.not_in_time, "now >= token.exp"),
    "iat": ("Issued at, not before", "iat and nbf are at most two minutes in the future, because clocks differ.",
            claims.not_in_time, "token.iat > now"),
    "session": ("Session", "The database has a session with the id in sid.", session_cache._rejection, "row is None"),
    "account": ("Account", "The account of the session is active.", session_cache._rejection, "is_active"),
    "revoked": ("Revocation", "Nothing has revoked the session: no logout, no administrator, no reused refresh token.",
                session_cache._rejection, "revoked_at"),
    "ended": ("Session expiry", "The session is younger than its maximum lifetime.",
              session_cache._rejection, "ends_at"),
    "owner": ("Owner", "sub is the id of the user that the session belongs to.", session_cache._rejection, "user_id"),
    "generation": ("Generation", "gen is not higher than the newest generation that the session has issued.",
                   session_cache._rejection, "token.gen"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One check and its result: PASSED, FAILED or NOT_REACHED."""

    name: str
    title: str
    asks: str
    place: Place
    state: str


async def trace(raw: str, now: datetime) -> list[Step]:
    """All checks of an access token, in the order in which the server makes them."""
    return _steps(await refused_by(raw, now))


async def refused_by(raw: str, now: datetime) -> str | None:
    """The name of the first check that fails for an access token; None for a valid one. As in a request."""
    if check := tokens.refused_by(raw, "access", now):
        return check
    token = tokens.read_ignoring_expiry(raw, "access")
    return await session_cache.rejected_by(token, now) if token else "characters"


def place_of(check: str) -> Place:
    _, _, where, text = ABOUT[check]
    return sources.find(where, text)


def _steps(refused: str | None) -> list[Step]:
    steps, state = [], PASSED
    for name, (title, asks, _, _) in ABOUT.items():
        state = FAILED if name == refused else NOT_REACHED if state != PASSED else PASSED
        steps.append(Step(name, title, asks, place_of(name), state))
    return steps
