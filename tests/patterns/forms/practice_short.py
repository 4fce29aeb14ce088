"""Fails: 900 became 900.0; TypeError"""

from datetime import UTC, datetime

from ravyn.core.config.jwt import JWTConfig

config = JWTConfig(signing_key="a demo key, thirty-two bytes long", access_token_lifetime=900)
print("900 became", config.access_token_lifetime)

print("a token issued now expires at", datetime.now(UTC) + config.access_token_lifetime)
