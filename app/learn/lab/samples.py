"""Sample tokens with custom claims, as the documentation page creates them; their key exists only in this process.

Issuer and audience are the lab's own, so the site accepts none of them, whatever their claims are.
Pattern: custom-claims, token-decode-claims.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ravyn.security.jwt.token import Token

from app.learn.lab import forge, trace

ISSUER, AUDIENCE = "https://lab.invalid", "https://readers.lab.invalid"
LIVES = timedelta(minutes=5)
_KEY = secrets.token_bytes(32)


class Sample(Token):
    """The framework's token class with the page's two custom claims. It drops claims that are not declared."""

    email: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Minted:
    """A sample token, and what three decoders return for it."""

    raw: str
    header: dict[str, Any]
    payload: dict[str, Any]
    base_class: dict[str, Any]  # claims that the framework's own class returns
    subclass: dict[str, Any]
    refused_by: str  # heading of the check that fails when the site reads it as an access token

    @property
    def parts(self) -> list[str]:
        return self.raw.split(".")


async def mint(sub: str, email: str, role: str, now: datetime) -> Minted:
    """A token with these claims, valid for five minutes. Errors: ValueError for values that the framework refuses."""
    sample = Sample(
        sub=sub, email=email, role=role, iss=ISSUER, aud=AUDIENCE, iat=now, exp=now + LIVES, jti=secrets.token_hex(8)
    )
    raw = str(sample.encode(_KEY, "HS256", headers={"kid": "token-lab"}))  # type: ignore[arg-type]
    header, payload = forge.parts(raw)
    check = await trace.refused_by(raw, now)
    return Minted(raw, header, payload, _read(Token, raw), _read(Sample, raw), trace.ABOUT[check or "characters"][0])


def _read(kind: type[Token], raw: str) -> dict[str, Any]:
    read = kind.decode(raw, _KEY, ["HS256"], audience=AUDIENCE, issuer=ISSUER)
    return read.model_dump(exclude_none=True, mode="json")
