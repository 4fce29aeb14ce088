"""Signing keys: which key signs, which ones verify, and the keys derived for everything that is not a token.

One importer of key material. Each key has one algorithm, and the `kid` in a token's header only ever selects from this
ring: never a file, a URL or a key that the token brought along (RFC 8725 section 3.10; v5.0.0-9.1.3).
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

from app.settings import ALGORITHMS, get_settings


@dataclass(frozen=True, slots=True)
class Key:
    """`kid` names it, `algorithm` is the only one it is good for. `signs` is secret; `verifies` is not under EdDSA."""

    kid: str
    algorithm: str
    signs: Any
    verifies: Any

    def __repr__(self) -> str:  # never the material
        return f"Key(kid={self.kid!r}, algorithm={self.algorithm!r})"


def current() -> Key:
    """The key that signs."""
    settings = get_settings()
    return _key(settings.secret_key, settings.jwt_algorithm)


def find(kid: object) -> Key | None:
    """The key of that name, also one that no longer signs; None for any other value of any type."""
    return _ring().get(kid) if isinstance(kid, str) else None


def jwks() -> dict[str, list[dict[str, Any]]]:
    """The public keys for `/.well-known/jwks.json` (RFC 7517). Empty under HS256: a shared key is nobody else's."""
    return {
        "keys": [
            {**OKPAlgorithm.to_jwk(key.verifies, as_dict=True), "kid": key.kid, "alg": key.algorithm, "use": "sig"}
            for key in _ring().values()
            if key.algorithm == "EdDSA" and get_settings().jwt_algorithm == "EdDSA"
        ]
    }


def seal(label: str, message: str) -> str:
    """A MAC over the message under a key of its own for each label, base64url (v5.0.0-9.2.4)."""
    return _mac(get_settings().secret_key, label, message)


def sealed(label: str, message: str, mac: str) -> bool:
    """Is it our MAC, under any secret that still verifies?"""
    macs = [_mac(secret, label, message) for secret in get_settings().secret_keys]
    return any(hmac.compare_digest(mac.encode(), ours.encode()) for ours in macs)


def stamp(label: str, message: str, ends: datetime) -> str:
    """A seal that is good until then: `seconds since 1970.MAC`."""
    until = int(ends.timestamp())
    return f"{until}.{seal(label, f'{message} {until}')}"


def stamped(label: str, message: str, given: str, now: datetime) -> bool:
    """Is it our stamp on this message, and still good?"""
    until, _, mac = given.partition(".")
    if not (until.isascii() and until.isdigit() and len(until) <= 12 and now.timestamp() < int(until)):
        return False
    return sealed(label, f"{message} {until}", mac)


def encrypt(label: str, text: str, *, of: str) -> str:
    """The text as nobody reads it without our secret: AES-256-GCM, a random nonce (v5.0.0-11.3.2, v5.0.0-11.3.4).

    Whose it is (`of`) is authenticated with it: moved to another row it cannot be read. For how it begins see `names`.
    """
    nonce = secrets.token_bytes(12)
    return names(label)[0] + b64(
        nonce + _cipher(get_settings().secret_key, label).encrypt(nonce, text.encode(), of.encode())
    )


def decrypt(label: str, written: str, *, of: str) -> str | None:
    """What was encrypted under any secret that still verifies; None for anything else."""
    for secret, name in zip(get_settings().secret_keys, names(label), strict=True):
        if written.startswith(name):
            try:
                raw = unb64(written.removeprefix(name))
                return _cipher(secret, label).decrypt(raw[:12], raw[12:], of.encode()).decode()
            except (ValueError, InvalidTag):
                return None
    return None


def names(label: str) -> list[str]:
    """How everything begins that is encrypted for this purpose and can be read: first under the secret of now."""
    return [f"{b64(derive(secret, f'name {label}'))[:12]}." for secret in get_settings().secret_keys]


def b64(raw: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Errors: ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def derive(secret: str, label: str) -> bytes:
    """32 bytes for one purpose out of the secret: HKDF-SHA256 (RFC 5869)."""
    return HKDF(SHA256(), length=32, salt=None, info=f"lanyard {label}".encode()).derive(secret.encode())


@cache
def _ring() -> dict[str, Key]:
    """Both algorithms of every secret that verifies: a change of either logs nobody out."""
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
