"""Prints: without a token: 401; with one: 200 {'user_id': 1}"""

from lilya.middleware import DefineMiddleware
from ravyn import Gateway, Include, Ravyn, Request, get
from ravyn.contrib.auth.edgy.middleware import JWTAuthBackend, JWTAuthMiddleware
from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token
from stage import KEY, User, call, hours, people, play


@get()
async def me(request: Request) -> dict:
    return {"user_id": request.user.id}


# shown: the middleware stands in front of the routes that need a token, and of no other
backend = JWTAuthBackend(config=JWTConfig(signing_key=KEY, algorithm="HS256"), user_model=User)
protected = Include(
    "/me", routes=[Gateway("/", handler=me)], middleware=[DefineMiddleware(JWTAuthMiddleware, backend=backend)]
)
app = Ravyn(routes=[protected])
# /shown


async def main() -> None:
    raw = Token(sub="1", exp=hours(1)).encode(KEY, "HS256")
    async with people():
        print("without a token:", (await call(app, "/me/")).status_code)
        answer = await call(app, "/me/", Authorization=f"Bearer {raw}")
        print("with one:", answer.status_code, answer.json())


play(main)
