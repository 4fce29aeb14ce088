"""Fails: the cookie as printed: HttpOnly; Path=/; SameSite=strict; Secure; with the cookie: 401"""

from lilya.middleware import DefineMiddleware
from lilya.responses import JSONResponse
from ravyn import Request, get
from ravyn.contrib.auth.edgy.middleware import JWTAuthBackend, JWTAuthMiddleware
from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token
from stage import KEY, User, hours, play, site

raw = Token(sub="1", exp=hours(1)).encode(KEY, "HS256")

# shown: the page's cookie, and its own middleware
response = JSONResponse({"message": "Logged in"})
response.set_cookie("access_token", raw, httponly=True, secure=True, samesite="strict")

backend = JWTAuthBackend(config=JWTConfig(signing_key=KEY), user_model=User)
middleware = [DefineMiddleware(JWTAuthMiddleware, backend=backend)]
# /shown


@get("/protected")
async def protected(request: Request) -> dict:
    return {"user_id": request.user.id}


async def main() -> None:
    print("the cookie as printed:", response.headers["set-cookie"].partition("; ")[2])
    async with site(protected, middleware=middleware) as client:
        answer = await client.get("/protected", headers={"Cookie": f"access_token={raw}"})
        print(f"with the cookie: {answer.status_code}", answer.json()["detail"])


play(main)
