"""Prints: 3 requests, 1 query"""

import time
from typing import Any, ClassVar

import sqlalchemy
from lilya.middleware import DefineMiddleware
from ravyn import Request, get
from ravyn.contrib.auth.edgy.middleware import JWTAuthBackend, JWTAuthMiddleware
from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token
from stage import KEY, User, hours, play, registry, site

queries = []


# shown: keep the answer for seconds; what ends an account must reach the cache as well
class CachingBackend(JWTAuthBackend):
    known: ClassVar[dict] = {}

    async def retrieve_user(self, token_sub: Any) -> Any:
        user, until = self.known.get(token_sub, (None, 0.0))
        if time.monotonic() >= until:
            user = await super().retrieve_user(token_sub)
            self.known[token_sub] = user, time.monotonic() + 5
        return user


backend = CachingBackend(config=JWTConfig(signing_key=KEY), user_model=User)
# /shown


@get("/protected")
async def protected(request: Request) -> dict:
    return {"user_id": request.user.id}


async def main() -> None:
    async with site(protected, middleware=[DefineMiddleware(JWTAuthMiddleware, backend=backend)]) as client:
        engine = registry.database.engine.sync_engine
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *sent: queries.append(sent[2]))
        raw = Token(sub="1", exp=hours(1)).encode(KEY, "HS256")
        for _ in range(3):
            await client.get("/protected", headers={"Authorization": f"Bearer {raw}"})
    print("3 requests,", len(queries), "query" if len(queries) == 1 else "queries")


play(main)
