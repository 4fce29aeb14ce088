"""Prints: for another site: refused; for this site: accepted"""

# shown: issuer and audience, each time
from datetime import UTC, datetime, timedelta

import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"
ISSUER, AUDIENCE = "https://api.example.org", "https://example.org"
exp = datetime.now(UTC) + timedelta(hours=1)

for what, aud in {"for another site": "https://shop.example.org", "for this site": AUDIENCE}.items():
    raw = Token(sub="41", exp=exp, iss=ISSUER, aud=aud).encode(key=KEY, algorithm="HS256")
    try:
        Token.decode(token=raw, key=KEY, algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE)
        print(f"{what}: accepted")
    except jwt.PyJWTError:
        print(f"{what}: refused")
# /shown
