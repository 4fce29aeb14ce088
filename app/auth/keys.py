"""Signing keys: the key that signs tokens, the keys that verify them, and the keys derived for every other purpose.

No other module signs or encrypts. Each key has one algorithm, and the `kid` in a token's header selects only from the
key ring: never a file, a URL or a key inside the token (RFC 8725 section 3.10; v5.0.0-9.1.3).
Chapter: "Keys". Patterns: pitfall-weak-key, practice-env.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import OKPAlgorithm

from app.setting_checks import ALGORITHMS
from app.settings import get_settings


@dataclass(frozen=True, slots=True)
class Key:
    """A key with its id and its only algorithm. `signs` is secret; `verifies` is public under EdDSA."""

    kid: str
    algorithm: str
    signs: Any
    verifies: Any

    def __repr__(self) -> str:  # without the key material
        return f"Key(kid={self.kid!r}, algorithm={self.algorithm!r})"


def current() -> Key:
    """The key that signs."""
    settings = get_settings()
    return _key(settings.secret_key, settings.jwt_algorithm)


def find(kid: object) -> Key | None:
    """The key with this `kid`, including keys that only verify; None for any other value of any type."""
    return _ring().get(kid) if isinstance(kid, str) else None


def jwks() -> dict[str, list[dict[str, Any]]]:
    """The public keys for `/.well-known/jwks.json` (RFC 7517). Empty under HS256, whose key is secret."""
    return {
        "keys": [
            {**OKPAlgorithm.to_jwk(key.verifies, as_dict=True), "kid": key.kid, "alg": key.algorithm, "use": "sig"}
            for key in _ring().values()
            if key.algorithm == "EdDSA" and get_settings().jwt_algorithm == "EdDSA"
        ]
    }


def mac(label: str, message: str) -> str:
    """HMAC-SHA256 of the message, base64url, under a key derived for this label alone (v5.0.0-9.2.4)."""
    return _mac(get_settings().secret_key, label, message)


def verify_mac(label: str, message: str, mac: str) -> bool:
    """Whether the MAC is valid under the signing secret or one that still verifies."""
    macs = [_mac(secret, label, message) for secret in get_settings().secret_keys]
    return any(hmac.compare_digest(mac.encode(), ours.encode()) for ours in macs)


def expiring_mac(label: str, message: str, ends: datetime) -> str:
    """A MAC that is valid until `ends`, in the form `seconds since 1970.MAC`."""
    until = int(ends.timestamp())
    return f"{until}.{mac(label, f'{message} {until}')}"


def verify_expiring_mac(label: str, message: str, given: str, now: datetime) -> bool:
    """Whether `given` is an unexpired result of `expiring_mac` for this message."""
    until, _, mac = given.partition(".")
    if not (until.isascii() and until.isdigit() and len(until) <= 12 and now.timestamp() < int(until)):
        return False
    return verify_mac(label, f"{message} {until}", mac)


CHALLENGE = "challenge"


def challenge(purpose: str, ends: datetime) -> str:
    """128 random bits and a MAC that is valid until `ends`, always of the same length. `purpose`: its only use."""
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{expiring_mac(CHALLENGE, f'{purpose} {nonce}', ends)}"


def verify_challenge(purpose: str, given: str, now: datetime) -> bool:
    """Whether `given` is an unexpired result of `challenge` for this purpose. Whether it was used is for the caller."""
    nonce, _, stamp = given.partition(".")
    return verify_expiring_mac(CHALLENGE, f"{purpose} {nonce}", stamp, now)


def encrypt(label: str, text: str, *, of: str) -> str:
    """The text encrypted with AES-256-GCM and a random nonce, behind its prefix (v5.0.0-11.3.2, v5.0.0-11.3.4).

    `of`, the owner or the row, is authenticated along with it: a value copied to another row does not decrypt. For the
    prefix see `prefixes`.
    """
    nonce = secrets.token_bytes(12)
    return prefixes(label)[0] + b64(
        nonce + _cipher(get_settings().secret_key, label).encrypt(nonce, text.encode(), of.encode())
    )


def decrypt(label: str, written: str, *, of: str) -> str | None:
    """The plaintext of what `encrypt` returned under the signing secret or one that still verifies; otherwise None."""
    for secret, name in zip(get_settings().secret_keys, prefixes(label), strict=True):
        if written.startswith(name):
            try:
                raw = unb64(written.removeprefix(name))
                return _cipher(secret, label).decrypt(raw[:12], raw[12:], of.encode()).decode()
            except (ValueError, InvalidTag):
                return None
    return None


def prefixes(label: str) -> list[str]:
    """The prefixes of values that `decrypt` can read for this label, one per secret, the signing secret's first."""
    return [f"{b64(derive(secret, f'name {label}'))[:12]}." for secret in get_settings().secret_keys]


def b64(raw: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding. Errors: ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def derive(secret: str, label: str) -> bytes:
    """A 32-byte key for one purpose, derived from the secret with HKDF-SHA256 (RFC 5869)."""
    return HKDF(SHA256(), length=32, salt=None, info=f"lanyard {label}".encode()).derive(secret.encode())


@cache
def _ring() -> dict[str, Key]:
    """The keys of every secret, for both algorithms: changing the secret or the algorithm logs no user out."""
    keys = [_key(secret, algorithm) for secret in get_settings().secret_keys for algorithm in ALGORITHMS]
    return {key.kid: key for key in keys}


@cache
def _key(secret: str, algorithm: str) -> Key:
    kid = b64(derive(secret, f"kid {algorithm}"))[:12]
    if algorithm == "EdDSA":
        private = Ed25519PrivateKey.from_private_bytes(derive(secret, "ed25519"))
        return Key(kid, algorithm, private, private.public_key())
    return Key(kid, algorithm, secret.encode(), secret.encode())


def _cipher(secret: str, label: str) -> AESGCM:
    return AESGCM(derive(secret, label))


def _mac(secret: str, label: str, message: str) -> str:
    return b64(hmac.digest(derive(secret, label), message.encode(), hashlib.sha256))
