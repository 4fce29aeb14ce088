"""Holds: ours: 41; another audience: refused: Audience doesn't match"""

import jwt
from ravyn.security.jwt.token import Token
from stage import KEY, hours

OURS = {"issuer": "https://api.example.org", "audience": "https://example.org"}


def made_for(audience: str) -> str:
    return Token(sub="41", exp=hours(1), iss=OURS["issuer"], aud=audience).encode(KEY, "HS256")


# shown: issued with both claims, and verified with both
for what, audience in {"ours": OURS["audience"], "another audience": "https://shop.example.org"}.items():
    try:
        print(f"{what}:", Token.decode(made_for(audience), KEY, ["HS256"], **OURS).sub)
    except jwt.PyJWTError as error:
        print(f"{what}: refused:", error)
# /shown
