"""Tokens that the application would not make: re-signed with its key, with other claims or another header."""

import json
from typing import Any

import jwt

from app.auth import keys


def claims(raw: str) -> dict[str, Any]:
    """What the token says, unchecked."""
    return dict(jwt.decode(raw, options={"verify_signature": False}))


def resign(raw: str, *, header: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
    """The token with these claims changed (None removes one) and a good signature, unless `key` says another one."""
    payload = {name: value for name, value in (claims(raw) | changes).items() if value is not None}
    headers = jwt.get_unverified_header(raw) | (header or {})
    algorithm = headers.pop("alg")
    # As bytes: `jwt.encode` would refuse to write some of what a forger writes.
    key = keys.current().signs if key is None else key
    return jwt.api_jws.encode(json.dumps(payload).encode(), key, algorithm, headers=headers)


def expired(raw: str, *, seconds: int = 60) -> str:
    """The same token, over for so long."""
    over = claims(raw)
    life = over["exp"] - over["iat"] + seconds
    return resign(raw, iat=over["iat"] - life, exp=over["exp"] - life)
