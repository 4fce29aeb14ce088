"""Fails: unset: refused; empty: accepted at the start, error at the first login: HMAC key must not be empty;
one character: accepted"""

import os

import jwt
from pydantic import ValidationError
from ravyn.core.config.jwt import JWTConfig
from ravyn.exceptions import ImproperlyConfigured
from ravyn.security.jwt.token import Token
from stage import hours

# shown
for state, value in {"unset": None, "empty": "", "one character": "x"}.items():
    os.environ |= {"TOKEN_KEY": value} if value is not None else {}
    try:
        config = JWTConfig(signing_key=os.getenv("TOKEN_KEY"), algorithm="HS256")
        Token(sub="41", exp=hours(1)).encode(config.signing_key, config.algorithm)
        print(f"{state}: accepted")
    except ValidationError:
        print(f"{state}: refused")
    except (ImproperlyConfigured, jwt.InvalidKeyError) as error:
        print(f"{state}: accepted at the start, error at the first login:", error.__cause__ or error)
# /shown
