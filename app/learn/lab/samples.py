"""Sample tokens with custom claims, as the framework's page makes them; signed by a key that dies with the process.

Issuer and audience are the lab's own, so no door of the site takes one, whatever it claims.
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
    """The framework's token, with the two custom claims of its page declared: only so are they kept."""

    email: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Minted:
    """A sample, and what three readers make of it."""

    raw: str
    header: dict[str, Any]
    payload: dict[str, Any]
    base_class: dict[str, Any]  # what the framework's own class gives back
    subclass: dict[str, Any]
    refused_by: str  # heading of the check where the site's own door stops it

    @property
    def parts(self) -> list[str]:
        return self.raw.split(".")


async def mint(sub: str, email: str, role: str, now: datetime) -> Minted:
    """A token that says so, for five minutes. Errors: ValueError for what the framework does not take."""
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
