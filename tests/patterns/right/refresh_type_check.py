"""Prints: access as refresh: wrong type; refresh as access: wrong type; not a token: invalid"""

# shown: the type is part of reading a token, for both kinds, and outside the `try`
from datetime import UTC, datetime, timedelta
from typing import Literal

import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"


class AppToken(Token):
    token_type: Literal["access", "refresh"]


def read(raw: str, kind: str) -> str:
    try:
        token = AppToken.decode(raw, KEY, ["HS256"])
    except (jwt.PyJWTError, ValueError):
        return "invalid"
    return "accepted" if token.token_type == kind else "wrong type"


exp = datetime.now(UTC) + timedelta(hours=1)
made = {kind: AppToken(sub="1", token_type=kind, exp=exp).encode(KEY, "HS256") for kind in ("access", "refresh")}

print("access as refresh:", read(made["access"], "refresh"))
print("refresh as access:", read(made["refresh"], "access"))
print("refresh as refresh:", read(made["refresh"], "refresh"))
print("not a token:", read("a.b.c", "access"))
# /shown
