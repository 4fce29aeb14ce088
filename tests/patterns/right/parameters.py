"""Prints: access_token_lifetime: 0:15:00; issuer: https://api.example.org"""

# shown: say every value, then no default of a release matters
from datetime import timedelta

from ravyn.core.config.jwt import JWTConfig

config = JWTConfig(
    signing_key="a demo key, thirty-two bytes long",
    algorithm="HS256",
    access_token_lifetime=timedelta(minutes=15),
    refresh_token_lifetime=timedelta(days=7),
    issuer="https://api.example.org",
    audience="https://example.org",
)

for name in ("algorithm", "access_token_lifetime", "refresh_token_lifetime", "issuer", "audience"):
    print(f"{name}: {getattr(config, name)}")
# /shown
