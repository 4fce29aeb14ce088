"""Access and refresh tokens (JWT): creates them, and verifies them with every check.

A valid token proves who signed it and when; `session_cache` checks whether its session is still live.
Chapters: "Claims", "Verifying a token". Source: RFC 7519, RFC 8725, RFC 9068.
Patterns: structure, token-create, token-decode, token-decode-claims, decode-validation, token-pair,
practice-all-claims, pitfall-no-expiry.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt
from cachetools import LRUCache

from app.auth import keys
from app.auth.claims import AppToken, Kind, not_in_time
from app.observability import logs
from app.settings import get_settings

log = logs.get("auth")

TYP = {"access": "at+jwt", "refresh": "rt+jwt"}  # RFC 9068 section 2.1; explicit typing: RFC 8725 section 3.11
LONGEST = 4096  # characters; a cookie holds no more
CACHED = 5_000  # verified tokens that a worker caches by their hash
SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

# All checks, in the order in which they are made: a refusal names the first that fails.
CHECKS = (
    "characters", "header", "typ", "kid", "alg", "signature", "required", "iss", "aud", "claims", "token_type", "exp",
    "iat",
)  # fmt: skip
# PyJWT's exceptions, by exact class -> the check that failed. Every other exception is about a claim's value: "claims".
CHECK_OF_ERROR: dict[type[Exception], str] = {
    jwt.InvalidSignatureError: "signature",
    jwt.DecodeError: "required",  # signed, but no object with claims in it
    jwt.MissingRequiredClaimError: "required",
    jwt.InvalidIssuerError: "iss",
    jwt.InvalidAudienceError: "aud",
}

_verified: LRUCache[tuple[str, bytes], "AppToken"] = LRUCache(CACHED)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The tokens that a login or a refresh issues. Lifetimes in seconds.

    `registration`: the challenge with which a browser may bind a new session to its device; "" for none.
    """

    access_token: str
    refresh_token: str
    expires_in: int
    refresh_expires_in: int
    registration: str = ""


def issue_pair(session: Any, *, role: str, now: datetime, quick: int = 0) -> TokenPair:
    """The access and the refresh token of the session's current generation.

    Neither outlives `session.ends_at`. `quick`: how many refreshes in a row came within seconds of the previous one
    (see `rotation.Rotated`).
    """
    config: Any = get_settings().jwt_config
    access_ends = min(now + config.access_token_lifetime, session.ends_at)
    refresh_ends = min(now + config.refresh_token_lifetime, session.ends_at)
    return TokenPair(
        access_token=_issue(
            session, "access", now, access_ends, secrets.token_urlsafe(16),
            role=role, auth_time=int(session.authenticated_at.timestamp()),
        ),
        refresh_token=_issue(
            session, "refresh", now, refresh_ends, refresh_jti(session.secret, session.generation), quick=quick or None
        ),
        expires_in=int((access_ends - now).total_seconds()),
        refresh_expires_in=int((refresh_ends - now).total_seconds()),
    )  # fmt: skip


def refresh_jti(secret: str, generation: int) -> str:
    """HMAC-SHA256 of the generation under the session's own secret: a leaked signing key alone forges no refresh token.

    `secret`: 64 hex digits. Returns 64 hex digits.
    """
    return hmac.digest(bytes.fromhex(secret), str(generation).encode(), hashlib.sha256).hex()


def read(raw: str | None, kind: Kind, now: datetime) -> AppToken | None:
    """The token if every check passes; None for any other input. Logs the reason, never the token.

    A token that passed is cached by its SHA-256 hash, so its signature is verified once per worker. Key and times are
    checked every time.
    """
    if raw and len(raw) > LONGEST:
        return read_ignoring_expiry(raw, kind)
    seen = kind, hashlib.sha256((raw or "").encode("utf-8", "surrogatepass")).digest()
    token = _verified.get(seen)
    if token is None or keys.find(token.kid) is None:
        token = read_ignoring_expiry(raw, kind)
        if token is None:
            return None
        _verified[seen] = token
    if late := not_in_time(token, now):
        log.info("token_refused", kind=kind, reason=late)
        return None
    return token


def read_ignoring_expiry(raw: str | None, kind: Kind) -> AppToken | None:
    """As `read`, but without the checks of `exp`, `iat` and `nbf`: for logout, and for callers that compare `exp` with
    the database's clock.
    """
    try:
        return _read(raw or "", kind)
    except _Refused as refused:
        if raw:
            log.info("token_refused", kind=kind, reason=str(refused))
        return None


def refused_by(raw: str, kind: Kind, now: datetime) -> str | None:
    """The first check of CHECKS that the token fails in `read`; None for a valid token. Only for explanations."""
    try:
        return not_in_time(_read(raw, kind), now)
    except _Refused as refused:
        return refused.check


class _Refused(Exception):
    """A check failed. `check`: one of CHECKS. The reason is written to the log."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(f"{check}: {reason}")
        self.check = check


def _read(raw: str, kind: Kind) -> AppToken:
    if len(raw) > LONGEST or not SHAPE.fullmatch(raw):
        raise _Refused("characters", "not three parts of base64url")
    key = _key_of(_header_of(raw), kind)
    try:
        token: Any = AppToken.decode(
            raw,
            key.verifies,
            [key.algorithm],
            audience=get_settings().jwt_config.audience,
            issuer=get_settings().jwt_config.issuer,
            options={
                "require": ["exp", "iat", "iss", "aud", "sub", "jti"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "strict_aud": True,
            },
        )
        UUID(token.sub)
    except (jwt.PyJWTError, ValueError, RecursionError, OverflowError) as error:
        raise _Refused(CHECK_OF_ERROR.get(type(error), "claims"), type(error).__name__) from None
    if token.token_type != kind:
        raise _Refused("token_type", f"is not {kind}")
    token.kid = key.kid  # overwrites a claim of that name
    return token


def _header_of(raw: str) -> dict[str, Any]:
    """The unverified header. PyJWT's own function would parse the whole token a second time."""
    part = raw.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError) as error:
        raise _Refused("header", type(error).__name__) from None
    if not isinstance(header, dict):
        raise _Refused("header", "no object")
    return header


def _key_of(header: dict[str, Any], kind: Kind) -> keys.Key:
    """The key that the header names. Refuses a header with other members than those that we write."""
    if set(header) != {"alg", "kid", "typ"}:
        raise _Refused("header", "says more or less than ours")
    if header["typ"] != TYP[kind]:
        raise _Refused("typ", f"is not {TYP[kind]}")
    key = keys.find(header["kid"])
    if key is None:
        raise _Refused("kid", "unknown")
    if header["alg"] != key.algorithm:
        raise _Refused("alg", "not the key's")
    return key


def _issue(session: Any, kind: Kind, now: datetime, ends: datetime, jti: str, **claims: Any) -> str:
    config = get_settings().jwt_config
    key = keys.current()
    token = AppToken(
        token_type=kind, sub=str(session.user_id), sid=session.id, gen=session.generation,
        iss=config.issuer, aud=config.audience, iat=now, exp=ends, jti=jti, **claims,
    )  # fmt: skip
    return str(
        token.encode(key.signs, key.algorithm, {"sid": str(token.sid)}, headers={"typ": TYP[kind], "kid": key.kid})
    )
