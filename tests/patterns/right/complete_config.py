"""Prints: expires in 15 minutes"""

# shown
from datetime import UTC, datetime, timedelta

from ravyn.core.config.jwt import JWTConfig

config = JWTConfig(
    signing_key="a demo key, thirty-two bytes long",
    algorithm="HS256",
    access_token_lifetime=timedelta(minutes=15),  # a timedelta: a number becomes a float
    refresh_token_lifetime=timedelta(days=7),
    issuer="https://api.example.org",
    audience="https://example.org",
)

now = datetime.now(UTC)
print("expires in", (now + config.access_token_lifetime - now) // timedelta(minutes=1), "minutes")
# /shown
