"""A browser's side of Device Bound Session Credentials: a key pair, and the proofs that it signs.

Each thing that a bad device could do otherwise is an argument.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import jwt
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

from app import db
from app.auth.models import session_rows
from app.auth.sessions import device_binding
from app.auth.tokens import TokenPair
from tests.support import forge

TYP = "dbsc+jwt"


@dataclass
class BoundDevice:
    """One key pair. `algorithm`: as RFC 7518 names it."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    algorithm: str = "ES256"

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key (RFC 7517), as the browser sends it."""
        written = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.key.public_key(), as_dict=True)
        return {name: value for name, value in written.items() if name != "key_ops"}

    def registration(self, challenge: str, **header: Any) -> str:
        """The JWT of `Secure-Session-Response` when a session is bound. A header's member that is None is left out."""
        return self._signed({"jti": challenge}, {"typ": TYP, "jwk": self.jwk} | header)

    def proof(self, challenge: str, **header: Any) -> str:
        """The JWT of `Secure-Session-Response` when a session is renewed."""
        return self._signed({"jti": challenge}, {"typ": TYP} | header)

    def _signed(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        header = {"alg": self.algorithm} | {name: value for name, value in header.items() if value is not None}
        algorithm = header.pop("alg")
        return jwt.api_jws.encode(json.dumps(claims).encode(), self.key, algorithm, headers=header)


def sid_of(pair: TokenPair) -> UUID:
    return UUID(forge.claims(pair.refresh_token)["sid"])


async def bound(pair: TokenPair, device: BoundDevice | None = None) -> BoundDevice:
    """The device that this new session is bound to from now on."""
    device = device or BoundDevice()
    assert await device_binding.bind(sid_of(pair), device.registration(pair.registration))
    return device


async def key_of(pair: TokenPair) -> str:
    """What the row holds of the device, "" for an unbound session."""
    return str(await db.fetch_value(sa.select(session_rows.c.device_key).where(session_rows.c.id == sid_of(pair))))


def offered(answer: httpx.Response) -> str:
    """The challenge in the answer to a sign-in, "" where none is offered."""
    found = re.search(r'challenge="([^"]+)"', answer.headers.get("secure-session-registration", ""))
    return found[1] if found else ""


def wanted(answer: httpx.Response) -> str:
    """The challenge that the answer of an address of `device_session` wants signed next."""
    found = re.fullmatch(r'"([^"]+)";id="session"', answer.headers.get("secure-session-challenge", ""))
    return found[1] if found else ""
