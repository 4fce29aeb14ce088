"""Prints: a good token: 41; of another site: refused; a misspelt argument: TypeError"""

# shown: catch what a bad token raises, and nothing else
from datetime import UTC, datetime, timedelta

import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"
ISSUER, AUDIENCE = "https://api.example.org", "https://example.org"


def read(raw: str, **options: str) -> str:
    try:
        return Token.decode(raw, KEY, ["HS256"], **{"issuer": ISSUER, "audience": AUDIENCE} | options).sub
    except (jwt.PyJWTError, ValueError):  # pydantic's ValidationError is a ValueError
        return "refused"


exp = datetime.now(UTC) + timedelta(hours=1)
good = Token(sub="41", exp=exp, iss=ISSUER, aud=AUDIENCE).encode(KEY, "HS256")

print("a good token:", read(good))
print("of another site:", read(Token(sub="41", exp=exp, iss=ISSUER, aud="https://x.example").encode(KEY, "HS256")))
try:
    Token.decode(tokn=good, key=KEY, algorithms=["HS256"])
except (jwt.PyJWTError, ValueError):
    print("a misspelt argument: reported as a bad token")
except TypeError:
    print("a misspelt argument: TypeError")
# /shown
