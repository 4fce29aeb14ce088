"""Prints: unset: refused; empty: refused; one character: refused; 32 random bytes: accepted"""

# shown
import os
import secrets

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    token_key: str = Field(min_length=43, repr=False)  # 32 random bytes in base64url


values = {"unset": None, "empty": "", "one character": "x", "32 random bytes": secrets.token_urlsafe(32)}
for state, value in values.items():
    os.environ |= {"TOKEN_KEY": value} if value is not None else {}
    try:
        Settings()
        print(f"{state}: accepted")
    except ValidationError:
        print(f"{state}: refused")
# /shown
