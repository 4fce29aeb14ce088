"""Fails: the other worker: Signature verification failed"""

import os
import secrets
from datetime import UTC, datetime, timedelta

import jwt
from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token

print("a weak key is", "accepted" if JWTConfig(signing_key="secret") else "refused")


def start_of_a_worker() -> JWTConfig:
    return JWTConfig(signing_key=os.getenv("A_VARIABLE_NOBODY_SET", secrets.token_urlsafe(32)))


one, other = start_of_a_worker(), start_of_a_worker()
raw = Token(sub="41", exp=datetime.now(UTC) + timedelta(hours=1)).encode(one.signing_key, "HS256")

print("the worker that signed:", Token.decode(raw, one.signing_key, ["HS256"]).sub)
try:
    print("the other worker:", Token.decode(raw, other.signing_key, ["HS256"]).sub)
except jwt.PyJWTError as error:
    print("the other worker:", error)
