"""Fails: two logins in one second get different tokens: False"""

from datetime import UTC, datetime, timedelta
from typing import Literal

import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"


class AppToken(Token):
    token_type: Literal["access", "refresh"]


def make_pair(user_id: str, moment: datetime) -> dict[str, str]:
    lifetimes = {"access": timedelta(hours=1), "refresh": timedelta(days=7)}
    return {
        kind: AppToken(sub=user_id, token_type=kind, iat=moment, exp=moment + lifetime).encode(KEY, "HS256")
        for kind, lifetime in lifetimes.items()
    }


moment = datetime.now(UTC)
first, second = make_pair("41", moment), make_pair("41", moment)

print("claims:", ", ".join(jwt.decode(first["refresh"], KEY, algorithms=["HS256"])))
print("two logins in one second get different tokens:", first["refresh"] != second["refresh"])
