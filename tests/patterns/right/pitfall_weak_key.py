"""Prints: unset: does not start; set: the other worker reads the token"""

# shown: no fallback, so every worker has the same key or none starts
import os
from datetime import UTC, datetime, timedelta

from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token


def start_of_a_worker() -> JWTConfig:
    key = os.environ.get("SHOP_SECRET_KEY", "")
    if len(key.encode()) < 32:
        raise SystemExit("SHOP_SECRET_KEY: use at least 32 random bytes")
    return JWTConfig(signing_key=key)


try:
    start_of_a_worker()
except SystemExit as error:
    print("unset: does not start:", error)

os.environ["SHOP_SECRET_KEY"] = "0jQbY1Dk5n2fWJ4m0a7cR8sT3uV6xZ9e"  # in .env, which git ignores
one, other = start_of_a_worker(), start_of_a_worker()
raw = Token(sub="41", exp=datetime.now(UTC) + timedelta(hours=1)).encode(one.signing_key, "HS256")
print("set: the other worker reads the token of", Token.decode(raw, other.signing_key, ["HS256"]).sub)
# /shown
