"""Prints: a token without exp, made elsewhere: refused"""

# shown: require it when you read, too: another program with the key may leave it out
import jwt
from ravyn.security.jwt.token import Token

KEY = "a demo key, thirty-two bytes long"
forever = jwt.encode({"sub": "41"}, KEY, algorithm="HS256")

try:
    print("accepted:", Token.decode(forever, KEY, ["HS256"]).sub)
except (jwt.PyJWTError, ValueError):  # pydantic's ValidationError is a ValueError
    print("a token without exp, made elsewhere: refused")
# /shown
