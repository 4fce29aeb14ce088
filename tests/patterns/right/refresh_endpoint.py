"""Prints: in the body: 200; the same token again: 401; the successor after that: 401"""

import secrets
from typing import Literal

import edgy
import jwt
from pydantic import BaseModel
from ravyn import HTTPException, post
from ravyn.security.jwt.token import Token
from stage import KEY, hours, play, registry, site


class AppToken(Token):
    token_type: Literal["access", "refresh"]


class Session(edgy.Model):
    current: str = edgy.CharField(max_length=64)
    ended: bool = edgy.BooleanField(default=False)

    class Meta:
        registry = registry


# shown: one row for a login, and one UPDATE that decides which of two requests is first
class Body(BaseModel):
    refresh_token: str


@post("/auth/refresh", status_code=200)
async def refresh(data: Body) -> dict:
    try:
        token = AppToken.decode(data.refresh_token, KEY, ["HS256"])
    except (jwt.PyJWTError, ValueError):
        token = None
    if token is None or token.token_type != "refresh":
        raise HTTPException(status_code=401, detail="Invalid refresh token")
    new = secrets.token_urlsafe(32)
    row = Session.query.filter(id=int(token.sub), ended=False)
    if await row.filter(current=token.jti).update(current=new) != 1:
        await row.update(ended=True)  # reuse: two parties hold this token (RFC 9700, 4.14.2)
        raise HTTPException(status_code=401, detail="Invalid refresh token")
    return {"refresh_token": issue(token.sub, new)}


def issue(session: str, jti: str) -> str:
    return AppToken(sub=session, jti=jti, token_type="refresh", exp=hours(168)).encode(KEY, "HS256")


# /shown


async def main() -> None:
    async with site(refresh) as client:
        await Session.query.create(id=1, current="first")
        raw = issue("1", "first")
        answer = await client.post("/auth/refresh", json={"refresh_token": raw})
        print("in the body:", answer.status_code)
        print("the same token again:", (await client.post("/auth/refresh", json={"refresh_token": raw})).status_code)
        answer = await client.post("/auth/refresh", json=answer.json())
        print("the successor after that:", answer.status_code)


play(main)
