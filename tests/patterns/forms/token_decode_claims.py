"""Fails: AttributeError: 'Token' object has no attribute 'email'"""

from datetime import UTC, datetime, timedelta

import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"
claims = {"sub": "41", "exp": datetime.now(UTC) + timedelta(hours=1), "email": "robin@example.org"}

token = Token.decode(token=jwt.encode(claims, KEY, algorithm="HS256"), key=KEY, algorithms=["HS256"])

print("sub:", token.sub)
print("email:", token.email)
