"""A device that keeps passkeys, as far as a site can tell: P-256 keys, and what it signs (W3C Web Authentication).

Each thing that a bad device or a bad page could do otherwise is an argument.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeAlias
from uuid import UUID

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.hashes import SHA256

from app import db
from app.auth import tokens
from app.auth.keys import b64, unb64
from app.mfa import enrolment, passkeys, webauthn
from app.mfa.proofs import Proof
from tests.support.environment import ORIGIN
from tests.support.people import Person, start_session

NO_AAGUID = "00000000-0000-0000-0000-000000000000"
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40

Key: TypeAlias = (
    ec.EllipticCurvePrivateKey | mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
)
LATTICE = {mldsa.MLDSA44PrivateKey: -48, mldsa.MLDSA65PrivateKey: -49, mldsa.MLDSA87PrivateKey: -50}  # RFC 9964


def _cose(key: Key) -> dict[int, Any]:
    """The public key as an authenticator writes it (RFC 9053; RFC 9964 for ML-DSA)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return {1: 2, 3: -7, -1: 1, -2: x, -3: y}
    (algorithm,) = [number for kind, number in LATTICE.items() if isinstance(key, kind)]
    return {1: 7, 3: algorithm, -1: key.public_key().public_bytes_raw()}


@dataclass
class Device:
    """One key pair. `counts`: whether it counts its uses, as those that cannot be copied do.

    `backup`: ELIGIBLE where its owner's other devices may get it, BACKED_UP beside that where they have. `aaguid`: what
    kind it says it is.
    """

    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    counts: bool = False
    uses: int = 0
    owner: str = ""
    backup: int = 0
    aaguid: str = NO_AAGUID

    def create(self, options: dict[str, Any], **other: Any) -> str:
        """What `navigator.credentials.create` hands over, as our script writes it."""
        self.owner = options["user"]["id"]
        kept = (
            UUID(self.aaguid).bytes
            + len(self.credential).to_bytes(2, "big")
            + self.credential
            + cbor2.dumps(_cose(self.key))
        )
        data = self._data({"host": options["rp"]["id"], **other}, ATTESTED) + kept
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = self._said("webauthn.create", options, other)
        return self._written({"clientDataJSON": b64(said), "attestationObject": b64(attestation)})

    def get(self, options: dict[str, Any], **other: Any) -> str:
        """What `navigator.credentials.get` hands over."""
        self.uses += self.counts
        data, said = self._data({"host": options["rpId"], **other}), self._said("webauthn.get", options, other)
        signed = data + hashlib.sha256(said).digest()
        curve = self.key if isinstance(self.key, ec.EllipticCurvePrivateKey) else None
        signature = curve.sign(signed, ec.ECDSA(SHA256())) if curve else self.key.sign(signed)  # type: ignore[call-arg]
        response = {"clientDataJSON": b64(said), "authenticatorData": b64(data), "signature": b64(signature)}
        return self._written(response | {"userHandle": other.get("owner", self.owner)})

    def _said(self, kind: str, options: dict[str, Any], other: dict[str, Any]) -> bytes:
        challenge = b64(other.get("challenge", options["challenge"]).encode())
        said = {"type": kind, "challenge": challenge, "origin": other.get("origin", ORIGIN), "crossOrigin": False}
        said |= other.get("said", {})
        return json.dumps(said).encode()

    def _data(self, what: dict[str, Any], more: int = 0) -> bytes:
        flags = what.get("flags", PRESENT | VERIFIED | self.backup) | more
        return hashlib.sha256(what["host"].encode()).digest() + bytes([flags]) + self.uses.to_bytes(4, "big")

    def _written(self, response: dict[str, str]) -> str:
        name = b64(self.credential)
        whole = {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}
        return json.dumps(whole)


def with_a_byte_changed(answer: str, part: str, at: int) -> str:
    """The answer with one bit of a part of its response turned round."""
    whole = json.loads(answer)
    raw = bytearray(unb64(whole["response"][part]))
    raw[at % len(raw)] ^= 1
    whole["response"][part] = b64(bytes(raw))
    return json.dumps(whole)


async def with_a_device(person: Person, *, name: str = "A device", **about: Any) -> Device:
    """Somebody's device, added as the page does it. `about`: see `Device`."""
    device = Device(**about)
    sid, options = await offered(person)
    assert await added(person, sid, device.create(options), name)
    return device


async def offered(person: Person) -> tuple[UUID, dict[str, Any]]:
    """A session of the person, and what its page asks a device for."""
    sid = await session_of(person)
    user = SimpleNamespace(id=person.id, sid=sid, email=person.email, name=person.name)
    return sid, webauthn.to_add(user, await passkeys.of_user(person.id))


async def session_of(person: Person) -> UUID:
    token = tokens.read((await start_session(person)).access_token, "access", db.utcnow())
    assert token
    return token.sid


async def added(person: Person, sid: UUID, answer: str, name: str = "A device") -> bool:
    """By the form, with the password in it."""
    return await enrolment.add_passkey(person.id, sid, answer, name, Proof(person.password)) == {}
