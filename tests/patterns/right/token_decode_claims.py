"""Prints: sub: 41; role: admin"""

# shown: decode with the class that declares the claim
from datetime import UTC, datetime, timedelta

from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"


class AppToken(Token):
    role: str


raw = AppToken(sub="41", exp=datetime.now(UTC) + timedelta(hours=1), role="admin").encode(KEY, "HS256")
token = AppToken.decode(token=raw, key=KEY, algorithms=["HS256"])

print("sub:", token.sub)
print("role:", token.role)
# /shown
