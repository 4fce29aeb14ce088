"""Holds: refused: The specified alg value is not allowed"""

import jwt
from ravyn.security.jwt.token import Token
from stage import KEY, hours

# shown
unsigned = jwt.encode({"sub": "1", "exp": hours(1)}, key=None, algorithm="none")
try:
    print("accepted:", Token.decode(unsigned, KEY, algorithms=["HS256"]).sub)
except jwt.PyJWTError as error:
    print("refused:", error)
# /shown
