"""WebAuthn: makes challenges, and verifies the responses of browsers and authenticators. Uses no accounts.

An authenticator's signature covers the origin, so a signature made on another site is useless here (phishing
resistance). We sign each challenge, and it is valid for one purpose; user verification is required. The library
`webauthn` verifies the signatures.
Chapter: "The life of an account". Source: W3C Web Authentication Level 3, sections 7.1 and 7.2; v5.0.0-6.5.7,
v5.0.0-6.7.2.
"""

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from app import db
from app.auth import keys
from app.mfa import cbor
from app.settings import get_settings
from app.web import templates

LIFETIME = timedelta(hours=1)  # lifetime of a challenge: a page may stay open that long
LONGEST = 16_384  # characters of a browser's response
ID = re.compile(r"[A-Za-z0-9_-]{1,1364}")  # 1023 bytes at most (W3C Web Authentication section 4)
SIGN_IN = "sign in"
NO_AAGUID = "00000000-0000-0000-0000-000000000000"  # what a browser puts in its place without attestation
# ES256, EdDSA, RS256 (RFC 9053), then ML-DSA-65, -44 and -87 (RFC 9964): for a device that has nothing older.
ALGORITHMS = (-7, -8, -257, -49, -48, -50)


class Verified(NamedTuple):
    """The facts in a verified response. `key`: the public key of a new pair (COSE, base64url), otherwise "".

    `backup_eligible`, `backed_up`: the flags BE and BS. `aaguid`: the kind of authenticator that has made the pair, as
    it says itself (without attestation nobody vouches for it), "" if unknown.
    """

    credential: str
    uses: int
    backup_eligible: bool
    backed_up: bool
    key: str = ""
    aaguid: str = ""


class NotGoodError(Exception):
    """The response is not valid for our challenge; `args[0]`: the reason, without any text of the client."""


def adding(sid: UUID) -> str:
    """The purpose of a challenge to add a passkey, in this session alone."""
    return f"add {sid}"


def stepping_up(sid: UUID) -> str:
    """The purpose of a challenge for step-up, in this session alone."""
    return f"step up {sid}"


def proving(sid: UUID) -> str:
    """The purpose of a challenge for a proof (see `proofs`), in this session alone."""
    return f"prove {sid}"


def challenge(purpose: str, now: datetime) -> str:
    """A challenge for an hour. `purpose`: its only use."""
    return keys.challenge(purpose, now + LIFETIME)


def to_add(user: Any, known: Iterable[Any], challenged: bool = True) -> dict[str, Any]:
    """The options for `navigator.credentials.create`: bytes as base64url, the challenge as text.

    `challenged`: False leaves the challenge out, where the page has another one (see `accounts.passkey_offer`).
    """
    return {
        "challenge": challenge(adding(user.sid), db.utcnow()) if challenged else "",
        "rp": {"id": get_settings().relying_party, "name": templates.APP_NAME},
        "user": {"id": keys.b64(user.id.bytes), "name": user.email, "displayName": user.name},
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "authenticatorSelection": {"residentKey": "required", "userVerification": "required"},
        "attestation": "none",
        "excludeCredentials": [{"type": "public-key", "id": row.credential} for row in known],
    }


def to_sign(purpose: str) -> dict[str, Any]:
    """The options for `navigator.credentials.get`. They list no credentials, so they reveal nothing about accounts."""
    return {
        "challenge": challenge(purpose, db.utcnow()),
        "rpId": get_settings().relying_party,
        "userVerification": "required",
    }


def to_signal(user: Any, known: Iterable[Any]) -> dict[str, Any]:
    """What a device should know of the account: its passkeys, all of them, and how it is shown there.

    The members of the Signal methods of section 5.1.10: a device forgets the account's other passkeys, so `known` has
    to be complete.
    """
    return {
        "rpId": get_settings().relying_party,
        "userId": keys.b64(user.id.bytes),
        "allAcceptedCredentialIds": [row.credential for row in known],
        "name": user.email,
        "displayName": user.name,
    }


def to_signal_unknown(credential: str) -> dict[str, str]:
    """The options for `PublicKeyCredential.signalUnknownCredential`: the device forgets this passkey."""
    return {"rpId": get_settings().relying_party, "credentialId": credential}


def answered(answer: str, purpose: str) -> dict[str, Any] | None:
    """The parsed response of a browser with its `challenge`, if the challenge is ours; otherwise None."""
    try:
        credential: Any = json.loads(answer) if len(answer) <= LONGEST else None
        said = json.loads(keys.unb64(credential["response"]["clientDataJSON"]))
        given, now = keys.unb64(said["challenge"]).decode("ascii"), db.utcnow()
        if not keys.verify_challenge(purpose, given, now) or not ID.fullmatch(credential["id"]):
            return None
        if not cbor.is_plain(credential["response"]):
            return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return {**credential, "challenge": given.encode(), "embedded": _embedded(said)}


def verify_new(credential: dict[str, Any], *, unasked: bool = False) -> Verified:
    """Verify the response to `to_add`. `credential`: see `answered`. Raises NotGoodError.

    `unasked`: a password manager may have made the pair without asking anybody (conditional create, section 5.1.3 and
    step 15 of 7.1). Each use of it needs user verification all the same.
    """
    from webauthn import verify_registration_response  # takes 0.2 s, so not imported at startup

    presence = {"require_user_presence": not unasked, "require_user_verification": not unasked}
    made = _verified(verify_registration_response, credential, supported_pub_key_algs=list(ALGORITHMS), **presence)
    new = _described(made, made.sign_count, keys.b64(made.credential_public_key))
    return new._replace(aaguid="" if made.aaguid == NO_AAGUID else made.aaguid)


def verify_signed(credential: dict[str, Any], public_key: str, uses: int) -> Verified:
    """Verify the response to `to_sign`. `uses`: the stored signature counter. Raises NotGoodError."""
    from webauthn import verify_authentication_response

    known = {"credential_public_key": keys.unb64(public_key), "credential_current_sign_count": uses}
    signed = _verified(verify_authentication_response, credential, **known)
    return _described(signed, signed.new_sign_count)


def _embedded(said: dict[str, Any]) -> bool:
    """Whether our page was embedded in another site. No page of ours ever is, and the library does not check it."""
    ours = get_settings().origin
    return bool(said.get("crossOrigin")) or said.get("topOrigin", ours) != ours


def _verified(verify: Any, credential: dict[str, Any], **known: Any) -> Any:
    try:
        verified = verify(
            credential=credential,
            expected_challenge=credential["challenge"],
            expected_rp_id=get_settings().relying_party,
            expected_origin=get_settings().origin,
            **{"require_user_verification": True, **known},
        )
    except Exception as error:  # the library decodes untrusted bytes and may raise anything
        raise NotGoodError(type(error).__name__) from None
    if credential["embedded"]:
        raise NotGoodError("inside another page")
    return verified


def _described(verified: Any, uses: int, key: str = "") -> Verified:
    eligible = verified.credential_device_type == "multi_device"
    return Verified(keys.b64(verified.credential_id), uses, eligible, verified.credential_backed_up, key)
