"""Prints: refused: a key of 6 characters; algorithm: HS256"""

# shown: the class accepts any key, so the program checks it before it uses it
import secrets

from ravyn.core.config.jwt import JWTConfig


def config_for(key: str) -> JWTConfig:
    if len(key.encode()) < 32 or len(set(key)) < 16:
        raise ValueError(f"a key of {len(key)} characters")
    return JWTConfig(signing_key=key, algorithm="HS256")


for key in ("secret", secrets.token_urlsafe(32)):
    try:
        print("algorithm:", config_for(key).algorithm)
    except ValueError as error:
        print("refused:", error)
# /shown
