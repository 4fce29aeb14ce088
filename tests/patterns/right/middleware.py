"""Prints: POST /auth/login without a token: 200; a refresh token as access token: 401; `bearer` in lower case: 200;
after the account was deactivated: 401"""

from typing import Any

import jwt
from lilya.authentication import AuthCredentials
from lilya.middleware import DefineMiddleware
from lilya.responses import JSONResponse
from ravyn import Gateway, Ravyn, Request, get, post
from ravyn.contrib.auth.edgy.middleware import JWTAuthBackend, JWTAuthMiddleware
from ravyn.core.config.jwt import JWTConfig
from ravyn.permissions import BasePermission
from ravyn.security.jwt.token import Token
from stage import KEY, User, call, hours, people, play


class AppToken(Token):
    token_type: str


# shown: the backend says who sends a request and refuses nobody; a permission refuses
class LoginRequired(Exception):
    pass


class Backend(JWTAuthBackend):
    async def authenticate(self, request: Any, **kwargs: Any) -> Any:
        scheme, _, raw = request.headers.get("authorization", "").partition(" ")
        try:
            token = AppToken.decode(raw, KEY, ["HS256"]) if scheme.lower() == "bearer" else None
        except (jwt.PyJWTError, ValueError):
            token = None
        if token is None or token.token_type != "access":
            return None
        user = await User.query.get_or_none(id=int(token.sub), is_active=True)
        return (AuthCredentials(["authenticated"]), user) if user else None


class SignedIn(BasePermission):
    async def has_permission(self, request: Any, controller: Any) -> bool:
        if "authenticated" not in request.auth.scopes:
            raise LoginRequired
        return True


async def refuse(request: Request, error: Exception) -> Any:
    return JSONResponse({"detail": "Sign in first"}, status_code=401, headers={"WWW-Authenticate": "Bearer"})


# /shown
@post(status_code=200)
async def login() -> dict:
    return {"access_token": "..."}


@get()
async def protected(request: Request) -> dict:
    return {"user_id": request.user.id}


app = Ravyn(
    routes=[Gateway("/auth/login", handler=login), Gateway("/protected", handler=protected, permissions=[SignedIn])],
    middleware=[DefineMiddleware(JWTAuthMiddleware, backend=Backend(JWTConfig(signing_key=KEY), User))],
    exception_handlers={LoginRequired: refuse},
)


def made(kind: str) -> str:
    return AppToken(sub="1", token_type=kind, exp=hours(1)).encode(KEY, "HS256")


async def main() -> None:
    async with people():
        print("POST /auth/login without a token:", (await call(app, "/auth/login", "POST")).status_code)
        answer = await call(app, "/protected", Authorization=f"Bearer {made('refresh')}")
        print("a refresh token as access token:", answer.status_code)
        answer = await call(app, "/protected", Authorization=f"bearer {made('access')}")
        print("`bearer` in lower case:", answer.status_code)
        await (await User.query.get(id=1)).update(is_active=False)
        answer = await call(app, "/protected", Authorization=f"Bearer {made('access')}")
        print("after the account was deactivated:", answer.status_code)


play(main)
