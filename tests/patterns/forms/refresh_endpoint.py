"""Fails: sent in the address: 201; the answer holds: access_token; the same token once more: 201"""

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
        print("sent in the address:", answer.status_code, "and every log on the way has it")
        print("the answer holds:", ", ".join(answer.json()))
        again = await client.post(f"/auth/refresh?refresh_token={raw}")
        print("the same token once more:", again.status_code)


play(main)
