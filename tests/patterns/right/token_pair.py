"""Prints: two logins in one second get different tokens: True"""

# shown: an id for each token; with `sid`, the session it belongs to, one login can be revoked alone
import secrets
from datetime import UTC, datetime, timedelta
from typing import Literal

import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"
LIFETIMES = {"access": timedelta(minutes=15), "refresh": timedelta(days=7)}


class AppToken(Token):
    token_type: Literal["access", "refresh"]
    sid: str


def make_pair(user_id: str, now: datetime) -> dict[str, str]:
    site = {"iss": "https://api.example.org", "aud": "https://example.org"}
    about = {"sub": user_id, "sid": secrets.token_urlsafe(16), "iat": now} | site
    return {
        kind: AppToken(token_type=kind, exp=now + lifetime, jti=secrets.token_urlsafe(16), **about).encode(KEY, "HS256")
        for kind, lifetime in LIFETIMES.items()
    }


now = datetime.now(UTC)
first, second = make_pair("41", now), make_pair("41", now)
claims = jwt.decode(first["refresh"], KEY, algorithms=["HS256"], audience="https://example.org")

print("claims:", ", ".join(sorted(claims)))
print("two logins in one second get different tokens:", first["refresh"] != second["refresh"])
# /shown
