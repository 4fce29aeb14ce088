"""Prints: claims: exp, iat, role, sub"""

# shown: declare each claim; the e-mail address is none of them, because it changes and everybody can read it
from datetime import UTC, datetime, timedelta
from typing import Literal

import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"


class AppToken(Token):
    role: Literal["user", "admin"]


token = AppToken(sub="41", exp=datetime.now(UTC) + timedelta(hours=1), role="admin")
raw = token.encode(key=KEY, algorithm="HS256")

print("claims:", ", ".join(sorted(jwt.decode(raw, KEY, algorithms=["HS256"]))))
# /shown
