"""Device-bound sessions (DBSC): a session's public key, and the proofs that the browser signs with the private one.

The browser keeps the private key where nobody copies it from (a TPM), and signs a challenge to renew the session. So a
copied cookie jar works for as long as its access token lives, and renews nothing. Browsers without DBSC ignore the one
header that a sign-in adds, and their sessions stay unbound.
A challenge is a MAC with an expiry over the session and the generation. The one that binds a session is sent in
the answer to the sign-in alone, never in a cookie: an attacker with the cookies of an unbound session cannot bind it.
Chapter: "Device-bound sessions". Source: W3C Device Bound Session Credentials; RFC 7515, RFC 7517; RFC 9700 section
4.14.2 (sender-constrained refresh tokens).
"""

import json
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import sqlalchemy as sa

from app import db
from app.audit import events
from app.auth import keys
from app.auth.models import session_rows
from app.auth.sessions import session_cache
from app.settings import get_settings

LABEL, REGISTRATION, PROOF = "device key", "device registration", "device proof"
REGISTRATION_LIFETIME = timedelta(minutes=5)  # from the sign-in until the browser has made its key
PROOF_GRACE = timedelta(minutes=5)  # a challenge is sent ahead, and outlives the access token by this
TYP = "dbsc+jwt"
LONGEST = 4096  # characters of a proof; one with an RSA key of 4096 bits has 2,100
SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
MEMBERS = {"ES256": ("kty", "crv", "x", "y"), "RS256": ("kty", "n", "e")}  # of the public key: RFC 7518 section 6
RSA_BITS = range(2048, 4096 + 1)
EXPONENT = "AQAB"  # 65537: another one could make the check slow

_s = session_rows.c
_BIND = (
    sa.update(session_rows)
    .where(_s.id == sa.bindparam("sid"), _s.device_key == "", _s.generation == 1, _s.revoked_at.is_(None))
    .returning(_s.user_id)
)


def is_offered() -> bool:
    """Whether new sessions may be bound: `APP_DEVICE_BOUND`, and https, without which no browser offers it."""
    settings = get_settings()
    return settings.device_bound != "off" and settings.origin.startswith("https:") and settings.secure_cookies


def registration_challenge(sid: UUID, now: datetime) -> str:
    """For the answer to a sign-in: what the browser signs to bind the new session. "" where that is not offered."""
    return keys.expiring_mac(REGISTRATION, str(sid), now + REGISTRATION_LIFETIME) if is_offered() else ""


def challenge(sid: UUID, generation: int, now: datetime) -> str:
    """What the browser signs to exchange the refresh token of this generation."""
    lasts = timedelta(seconds=get_settings().access_token_seconds) + PROOF_GRACE
    return keys.expiring_mac(PROOF, f"{sid} {generation}", now + lasts)


async def bind(sid: UUID, proof: str) -> bool:
    """Bind the session to the key in `proof` (the `Secure-Session-Response` of a registration), once and for good.

    False, and nothing changes, for a proof that is not good, a challenge that is not of this sign-in, or a session
    that is bound already, was renewed or has ended. Errors: db.Unavailable.
    """
    now = await db.fetch_value(sa.select(db.now()))
    key = _registered_key(proof, sid, now)
    if key is None:
        return False
    async with db.transaction() as tx:
        row = await tx.fetch_one(_BIND, {"sid": sid, "device_key": keys.encrypt(LABEL, key, of=str(sid))})
        if row is None:
            return False
        await session_cache.invalidate(tx, session_id=sid)
        about = {"user_id": row.user_id, "actor_id": row.user_id, "session_id": sid}
        await events.record(events.SESSION_BOUND, tx=tx, **about, detail=json.loads(key)["alg"])
    return True


def proves(row: Any, generation: int, proof: str, now: datetime) -> bool:
    """Did the device of the session sign our challenge for this generation? Always True for an unbound session.

    `row` needs id and device_key. A key that cannot be decrypted (the secret is gone) proves nothing.
    """
    if not row.device_key:
        return True
    stored = keys.decrypt(LABEL, row.device_key, of=str(row.id)) if proof else None
    if stored is None:
        return False
    key = json.loads(stored)
    signed = _signed_challenge(proof, key) if _header(proof, {"alg", "typ"}, key["alg"]) else ""
    return keys.verify_expiring_mac(PROOF, f"{row.id} {generation}", signed, now)


def _registered_key(proof: str, sid: UUID, now: datetime) -> str | None:
    """The public key that the proof brings along and is signed with, as JSON; None for any other text at all."""
    header = _header(proof, {"alg", "typ", "jwk"})
    if header is None or not isinstance(header["jwk"], dict):
        return None
    key = {name: header["jwk"].get(name) for name in MEMBERS[header["alg"]]} | {"alg": header["alg"]}
    if not all(isinstance(value, str) for value in key.values()) or not _is_strong(key):
        return None
    challenge = _signed_challenge(proof, key)
    return json.dumps(key) if keys.verify_expiring_mac(REGISTRATION, str(sid), challenge, now) else None


def _header(proof: str, members: set[str], algorithm: str = "") -> dict[str, Any] | None:
    """The header of a proof that may be read on: bounded, with these members and no others, of a known algorithm."""
    if len(proof) > LONGEST or not SHAPE.fullmatch(proof):
        return None
    try:
        header = jwt.get_unverified_header(proof)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    known = header.get("alg") == algorithm if algorithm else header.get("alg") in tuple(MEMBERS)
    return header if set(header) == members and known and header["typ"] == TYP else None


def _is_strong(key: dict[str, Any]) -> bool:
    """P-256, or RSA of a usual size: the key comes from outside."""
    if key["alg"] == "ES256":
        return bool(key["kty"] == "EC" and key["crv"] == "P-256")
    return key["kty"] == "RSA" and key["e"] == EXPONENT and len(key["n"]) * 6 // 8 * 8 in RSA_BITS


def _signed_challenge(proof: str, key: dict[str, Any]) -> str:
    """The `jti` of a proof whose signature is this key's, "" for any other."""
    try:
        verifies = jwt.PyJWK({name: value for name, value in key.items() if name != "alg"}, algorithm=key["alg"])
        claims = jwt.decode(proof, verifies, algorithms=[key["alg"]], options={"require": ["jti"], "verify_aud": False})
    except (jwt.PyJWTError, ValueError, RecursionError, OverflowError):
        return ""
    signed = claims["jti"]
    return signed if isinstance(signed, str) else ""
