"""Holds: refused: Signature has expired; refused with leeway: The exp must be a date in the future"""

import jwt
from ravyn.security.jwt.token import Token
from stage import KEY, hours

# shown
late = jwt.encode({"sub": "1", "exp": hours(-0.001)}, KEY, algorithm="HS256")
try:
    print("accepted:", Token.decode(late, KEY, algorithms=["HS256"]).sub)
except jwt.PyJWTError as error:
    print("refused:", error)
try:
    print("accepted with leeway:", Token.decode(late, KEY, algorithms=["HS256"], leeway=60).sub)
except ValueError as error:
    print("refused with leeway:", error.errors()[0]["msg"].removeprefix("Value error, "))
# /shown
