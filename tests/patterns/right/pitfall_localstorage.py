"""Prints: set: __Host-access=; with the cookie: 200"""

from typing import Any

import jwt
from lilya.authentication import AuthCredentials
from lilya.middleware import DefineMiddleware
from lilya.responses import JSONResponse
from ravyn import Request, get
from ravyn.contrib.auth.edgy.middleware import JWTAuthBackend, JWTAuthMiddleware
from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token
from stage import KEY, User, hours, play, site

raw = Token(sub="1", exp=hours(1)).encode(KEY, "HS256")

# shown: no subdomain can plant a cookie with __Host-; every POST must then come from the site itself (CSRF)
NAME = "__Host-access"
response = JSONResponse({"message": "Logged in"})
response.set_cookie(NAME, raw, path="/", max_age=900, httponly=True, secure=True, samesite="strict")


class CookieBackend(JWTAuthBackend):
    async def authenticate(self, request: Any, **kwargs: Any) -> Any:
        try:
            token = Token.decode(request.cookies.get(NAME, ""), KEY, ["HS256"])
        except (jwt.PyJWTError, ValueError):
            return None
        user = await User.query.get_or_none(id=int(token.sub), is_active=True)
        return (AuthCredentials(["authenticated"]), user) if user else None


# /shown
backend = CookieBackend(config=JWTConfig(signing_key=KEY), user_model=User)


@get("/protected")
async def protected(request: Request) -> dict:
    return {"user_id": request.user.id}


async def main() -> None:
    name, _, rest = response.headers["set-cookie"].partition("=")
    print(f"set: {name}=...;", rest.partition("; ")[2])
    async with site(protected, middleware=[DefineMiddleware(JWTAuthMiddleware, backend=backend)]) as client:
        answer = await client.get("/protected", headers={"Cookie": f"{NAME}={raw}"})
        print("with the cookie:", answer.status_code, answer.json())


play(main)
