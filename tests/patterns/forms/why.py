"""Fails: 3 requests, 3 queries"""

import sqlalchemy
from lilya.middleware import DefineMiddleware
from ravyn import Request, get
from ravyn.contrib.auth.edgy.middleware import JWTAuthBackend, JWTAuthMiddleware
from ravyn.core.config.jwt import JWTConfig
from ravyn.security.jwt.token import Token
from stage import KEY, User, hours, play, registry, site

queries = []


@get("/protected")
async def protected(request: Request) -> dict:
    return {"user_id": request.user.id}


async def main() -> None:
    # shown: the built-in backend, with its queries counted
    backend = JWTAuthBackend(config=JWTConfig(signing_key=KEY), user_model=User)
    async with site(protected, middleware=[DefineMiddleware(JWTAuthMiddleware, backend=backend)]) as client:
        engine = registry.database.engine.sync_engine
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *sent: queries.append(sent[2]))
        raw = Token(sub="1", exp=hours(1)).encode(KEY, "HS256")
        for _ in range(3):
            await client.get("/protected", headers={"Authorization": f"Bearer {raw}"})
    # /shown
    print("3 requests,", len(queries), "queries")


play(main)
