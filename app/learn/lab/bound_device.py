"""A browser's side of a device-bound session: a key pair, and the proofs that it signs. By hand, as in `forge`."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

SIZE = 32  # bytes of a number of P-256


class BoundDevice:
    """One device. The private key exists here alone."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def registration(self, challenge: str) -> str:
        """The proof that binds a session: it brings the public key along."""
        numbers = self._key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "x": _number(numbers.x), "y": _number(numbers.y)}
        return self._signed({"alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk}, challenge)

    def proof(self, challenge: str) -> str:
        """The proof that renews it."""
        return self._signed({"alg": "ES256", "typ": "dbsc+jwt"}, challenge)

    def _signed(self, header: dict[str, Any], challenge: str) -> str:
        body = ".".join(_b64(json.dumps(part).encode()) for part in (header, {"jti": challenge}))
        r, s = decode_dss_signature(self._key.sign(body.encode(), ec.ECDSA(SHA256())))
        return f"{body}.{_b64(r.to_bytes(SIZE, 'big') + s.to_bytes(SIZE, 'big'))}"


def _number(value: int) -> str:
    return _b64(value.to_bytes(SIZE, "big"))


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
