"""Holds: access: True False; refresh: False True"""

from typing import Literal

from ravyn.security.jwt.token import Token
from stage import KEY, hours


# shown
class AppToken(Token):
    token_type: Literal["access", "refresh"]

    def is_access_token(self) -> bool:
        return self.token_type == "access"

    def is_refresh_token(self) -> bool:
        return self.token_type == "refresh"


for kind in ("access", "refresh"):
    raw = AppToken(sub="41", token_type=kind, exp=hours(1)).encode(KEY, "HS256")
    token = AppToken.decode(raw, KEY, ["HS256"])
    print(f"{kind}:", token.is_access_token(), token.is_refresh_token())
# /shown
