"""Fails: access_token_lifetime: 0:05:00; refresh_token_lifetime: 1 day, 0:00:00"""

from ravyn.core.config.jwt import JWTConfig

config = JWTConfig(signing_key="a demo key, thirty-two bytes long")

for name in ("algorithm", "access_token_lifetime", "refresh_token_lifetime", "issuer", "audience"):
    print(f"{name}: {getattr(config, name)}")
