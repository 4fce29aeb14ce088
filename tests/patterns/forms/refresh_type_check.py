"""Fails: raised inside: Invalid token type; response: Invalid refresh token"""

from typing import Literal

from ravyn import HTTPException
from ravyn.security.jwt.token import Token
from stage import KEY, hours


class AppToken(Token):
    token_type: Literal["access", "refresh"]


raw = AppToken(sub="1", token_type="access", exp=hours(1)).encode(KEY, "HS256")

# shown: the check inside the `try` of the page's handler
try:
    try:
        token = AppToken.decode(raw, KEY, ["HS256"])
        if token.token_type != "refresh":
            raise HTTPException(status_code=401, detail="Invalid token type")
    except Exception as error:
        print("raised inside:", error.detail)
        raise HTTPException(status_code=401, detail="Invalid refresh token") from error
except HTTPException as error:
    print("response:", error.detail)
# /shown
