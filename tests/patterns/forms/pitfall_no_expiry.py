"""Fails: exp: Field required"""

from pydantic import ValidationError
from ravyn.security.jwt.token import Token

try:
    Token(sub="41")
except ValidationError as error:
    print(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}")
