"""Fails: POST /auth/login without a token: 401; a refresh token as access token: 200;
after the account was deactivated: 200"""

from lilya.middleware import DefineMiddleware
from ravyn import Request, get, post
from ravyn.contrib.auth.edgy.middleware import JWTAuthBackend, JWTAuthMiddleware
from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token
from stage import KEY, User, hours, play, site

# shown: the page's line, changed so that the application starts
backend = JWTAuthBackend(config=JWTConfig(signing_key=KEY, algorithm="HS256"), user_model=User)
middleware = [DefineMiddleware(JWTAuthMiddleware, backend=backend)]
# /shown


@post("/auth/login")
async def login() -> dict:
    return {"access_token": "..."}


@get("/protected")
async def protected(request: Request) -> dict:
    return {"user_id": request.user.id}


class AppToken(Token):
    token_type: str


async def main() -> None:
    raw = AppToken(sub="1", token_type="refresh", exp=hours(168)).encode(KEY, "HS256")
    async with site(login, protected, middleware=middleware) as client:
        print("POST /auth/login without a token:", (await client.post("/auth/login")).status_code)
        for what, scheme in {"a refresh token as access token": "Bearer", "`bearer` in lower case": "bearer"}.items():
            answer = await client.get("/protected", headers={"Authorization": f"{scheme} {raw}"})
            print(f"{what}: {answer.status_code}")
        await (await User.query.get(id=1)).update(is_active=False)
        answer = await client.get("/protected", headers={"Authorization": f"Bearer {raw}"})
        print("after the account was deactivated:", answer.status_code)


play(main)
