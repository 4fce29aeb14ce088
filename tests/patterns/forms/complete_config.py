"""Fails: unsupported operand type(s) for +: 'datetime.datetime' and 'float'; taken: 'next tuesday'"""

from datetime import UTC, datetime

from ravyn.core.config.jwt import JWTConfig

config = JWTConfig(
    signing_key="a demo key, thirty-two bytes long",
    access_token_lifetime=3600,  # an hour, says the page
    refresh_token_lifetime="next tuesday",
    issuer="https://api.example.org",
    audience="https://example.org",
)

print("taken:", repr(config.refresh_token_lifetime))
print("the hour became:", repr(config.access_token_lifetime))
print("expires at:", datetime.now(UTC) + config.access_token_lifetime)
