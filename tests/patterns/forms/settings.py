"""Fails: DEBUG=release: does not start; a token of the settings' key, without middleware: user is None"""

import asyncio
import os

import httpx
from ravyn import Gateway, Ravyn, RavynSettings, Request, get
from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token
from stage import KEY, hours


# shown: the page's settings class
class AppSettings(RavynSettings):
    jwt_config: JWTConfig = JWTConfig(signing_key=KEY, algorithm="HS256", access_token_lifetime=3600)


# /shown


@get("/protected")
async def protected(request: Request) -> dict:
    return {"user": str(request.scope.get("user"))}


async def main() -> None:
    app = Ravyn(routes=[Gateway(handler=protected)], settings_module=AppSettings)
    raw = Token(sub="1", exp=hours(1)).encode(KEY, "HS256")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site") as client:
        answer = await client.get("/protected", headers={"Authorization": f"Bearer {raw}"})
        print("a token of the settings' key, without middleware: user is", answer.json()["user"])
    os.environ["DEBUG"] = "release"  # a value that another program uses
    try:
        AppSettings()
        print("DEBUG=release: starts")
    except ValueError:
        print("DEBUG=release: does not start")


asyncio.run(main())
