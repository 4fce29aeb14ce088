"""Prints: a token issued now expires in 15 minutes"""

# shown
from datetime import UTC, datetime, timedelta

from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token

config = JWTConfig(signing_key="a demo key, thirty-two bytes long", access_token_lifetime=timedelta(minutes=15))

now = datetime.now(UTC)
token = Token(sub="41", iat=now, exp=now + config.access_token_lifetime)  # nothing else reads the lifetime
print("a token issued now expires in", round((token.exp - now).total_seconds() / 60), "minutes")
# /shown
