"""Fails: sent as a query parameter: 201; the response contains: access_token; the same token again: 201"""

from typing import Literal

from ravyn import HTTPException, post
from ravyn.security.jwt.token import Token
from stage import KEY, hours, play, site


class AppToken(Token):
    token_type: Literal["access", "refresh"]


# shown: the page's handler
@post("/auth/refresh")
async def refresh(refresh_token: str) -> dict:
    try:
        token = AppToken.decode(refresh_token, KEY, ["HS256"])
        if token.token_type != "refresh":
            raise HTTPException(status_code=401, detail="Invalid token type")
        return {"access_token": AppToken(sub=token.sub, token_type="access", exp=hours(1)).encode(KEY, "HS256")}
    except Exception:
        raise HTTPException(status_code=401, detail="Invalid refresh token")


# /shown


async def main() -> None:
    raw = AppToken(sub="1", token_type="refresh", exp=hours(168)).encode(KEY, "HS256")
    async with site(refresh) as client:
        answer = await client.post(f"/auth/refresh?refresh_token={raw}")
        print("sent as a query parameter:", answer.status_code, "(and logged with the URL)")
        print("the response contains:", ", ".join(answer.json()))
        again = await client.post(f"/auth/refresh?refresh_token={raw}")
        print("the same token again:", again.status_code)


play(main)
