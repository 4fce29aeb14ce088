"""Fails: claims: exp, iat, sub"""

from datetime import UTC, datetime, timedelta

import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"

token = Token(sub="41", exp=datetime.now(UTC) + timedelta(hours=1), email="robin@example.org", role="admin")
raw = token.encode(key=KEY, algorithm="HS256")

print("claims:", ", ".join(jwt.decode(raw, KEY, algorithms=["HS256"])))
