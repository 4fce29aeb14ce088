"""The way of one token through every check, each with the line where it stands.

No check is made here. `tokens.refused_by` and `session_cache.rejected_by` run the ones that decide and name the first
that refuses; this module knows only what each name means and where to read it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.auth import tokens
from app.auth.sessions import session_cache
from app.learn.lab import sources
from app.learn.lab.sources import Place

PASSED, FAILED, NOT_REACHED = "passed", "failed", "not reached"

# Check -> heading, what it asks, and where: a function (or class) and a piece of the line.
ABOUT: dict[str, tuple[str, str, Any, str]] = {
    "characters": (
        "Characters",
        "Three parts of base64url with dots between, and no longer than a cookie can be. Padding, spaces, a missing or "
        "an empty part end here: the library would overlook some of them.",
        tokens._read, "SHAPE.fullmatch",
    ),
    "header": (
        "Header",
        "It can be read, and holds alg, kid and typ, nothing else. A header that brings its own key (jwk, jku, x5u) or "
        "wants something special (crit) is not one of ours.",
        tokens._key_of, "set(header)",
    ),
    "typ": ("Type in the header", "at+jwt for an access token. A token made for something else is not taken for one.",
            tokens._key_of, 'header["typ"]'),
    "kid": ("Key id", "It names a key of our ring. Never a file, an address or a key from outside.",
            tokens._key_of, "keys.find"),
    "alg": ("Algorithm", "Each key has one. What the header says about it must agree; it never chooses.",
            tokens._key_of, 'header["alg"]'),
    "signature": ("Signature", "The key, the algorithm, header and payload give exactly these bytes.",
                  tokens._read, "key.verifies"),
    "required": ("Claims are there", "The payload is an object, and exp, iat, iss, aud, sub and jti are in it.",
                 tokens._read, '"require"'),
    "iss": ("Issuer", "This site signed it; not another one that happens to share the key.", tokens._read, "issuer="),
    "aud": ("Audience", "It is meant for this site. One string: a list of audiences is not taken.",
            tokens._read, "audience="),
    "claims": ("Claims are well-formed", "Ids are UUIDs, times and generations are whole numbers.",
               tokens.AppToken, "class AppToken"),
    "token_type": ("Type in the claims", "An access token, whatever the header says.",
                   tokens._read, "token.token_type != kind"),
    "exp": ("Expiry", "Not over: on the second itself it is. No leeway.", tokens.not_in_time, "now >= token.exp"),
    "iat": ("Issued at, not before", "Not from the future, two minutes aside: clocks differ.",
            tokens.not_in_time, "token.iat > now"),
    "session": ("Session", "The row that sid names is there.", session_cache._rejection, "row is None"),
    "account": ("Account", "It may sign in.", session_cache._rejection, "is_active"),
    "revoked": ("Revocation", "Nobody ended the session: no logout, no administrator, no old copy.",
                session_cache._rejection, "revoked_at"),
    "ended": ("Absolute end", "The session's own end has not come.", session_cache._rejection, "ends_at"),
    "owner": ("Owner", "sub is the person whose session it is.", session_cache._rejection, "user_id"),
    "generation": ("Generation", "No newer than what was ever handed out.", session_cache._rejection, "token.gen"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One check and what became of it: PASSED, FAILED or NOT_REACHED."""

    name: str
    title: str
    asks: str
    place: Place
    state: str


async def trace(raw: str, now: datetime) -> list[Step]:
    """Every check in its order, for an access token."""
    return _steps(await refused_by(raw, now))


async def refused_by(raw: str, now: datetime) -> str | None:
    """The name of the check that refuses an access token, None for a good one; what a request would meet."""
    if check := tokens.refused_by(raw, "access", now):
        return check
    token = tokens.read_whatever_its_age(raw, "access")
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
