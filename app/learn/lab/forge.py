"""Forged tokens for the attacks, and tokens signed with the site's own key to test the checks after the signature.

Encoded by hand, because the JWT library refuses to create most of them.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any

from app.auth import keys

WRONG_KEY = secrets.token_bytes(32)  # a new one in each process; the site verifies nothing with it


def parts(raw: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload, not verified. Errors: ValueError for text that is not a token."""
    header, payload, _ = raw.split(".")
    return _unpacked(header), _unpacked(payload)


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any], signature: str = "") -> str:
    """A token with the given signature, which belongs to another token, or without one."""
    return f"{_body(header, claims)}.{signature}"


def signed_wrongly(header: Mapping[str, Any], claims: Mapping[str, Any], key: bytes = WRONG_KEY) -> str:
    """A token signed with HMAC-SHA256 and a key that is not the site's, whatever algorithm the header names."""
    body = _body(header, claims)
    return f"{body}.{_b64(hmac.digest(key, body.encode(), hashlib.sha256))}"


def signed_as_if_the_key_had_leaked(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A token signed with the site's own key, so that the checks after the signature run.

    Only for checks inside this process: never show or store the result.
    """
    body, key = _body(header, claims), keys.current()
    if key.algorithm == "HS256":
        return f"{body}.{_b64(hmac.digest(key.signs, body.encode(), hashlib.sha256))}"
    return f"{body}.{_b64(key.signs.sign(body.encode()))}"


def pretty(part: Mapping[str, Any]) -> str:
    return json.dumps(part, indent=2, ensure_ascii=False)


def _body(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return f"{_packed(header)}.{_packed(claims)}"


def _packed(part: Mapping[str, Any]) -> str:
    return _b64(json.dumps(part, separators=(",", ":")).encode())


def _unpacked(part: str) -> dict[str, Any]:
    value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
