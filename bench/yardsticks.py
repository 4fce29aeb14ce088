"""What the application is measured against: the same work done bare. Run by `bench/run.py` alone."""

import argparse
import asyncio
import hashlib
import hmac
import os
import secrets
import time
import uuid
from typing import Any

import aiosqlite
import jwt
import uvicorn

KEY = "k3J9xaB7qLmZ2wR8tYvE4uI6oP0sDfGh1jKcNbV5"


def bare_ravyn() -> Any:
    """A JSON handler that takes the request, and nothing around it."""
    from ravyn import Gateway, Ravyn, Request, get

    @get()
    async def hello(request: Request) -> dict[str, str]:
        return {"user_id": "x", "email": "robin@example.com", "name": "Robin Example", "role": "user"}

    return Ravyn(
        routes=[Gateway("/", handler=hello)], enable_openapi=False, redirect_slashes=False, logging_config=None
    )


def bare_refresh() -> Any:
    """Starlette and aiosqlite: the same token work and the same statements as one rotation."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def refresh(request: Request) -> JSONResponse:
        claims = jwt.decode((await request.json())["refresh_token"], KEY, ["HS256"], audience="a", issuer="i")
        database, sid, now = request.app.state.database, claims["sid"], time.time()
        async with database.execute(
            "SELECT s.*, u.is_active FROM s JOIN u ON u.id = s.user WHERE s.id = ?", [sid]
        ) as found:
            row = await found.fetchone()
        jti = hmac.digest(row[2], str(claims["gen"]).encode(), hashlib.sha256).hex()
        if not hmac.compare_digest(jti, claims["jti"]):
            return JSONResponse({}, 401)
        async with request.app.state.turn:  # one connection: one transaction at a time
            await database.execute("BEGIN IMMEDIATE")
            update = "UPDATE s SET gen = gen + 1, at = ? WHERE id = ? AND gen = ? RETURNING gen"
            async with database.execute(update, [now, sid, claims["gen"]]) as changed:
                (generation,) = await changed.fetchone()
            await database.execute("INSERT INTO audit VALUES (?, ?, ?)", [uuid.uuid4().hex, now, sid])
            await database.execute("COMMIT")
        return JSONResponse(pair(sid, row[2], generation))

    async def begin(request: Request) -> JSONResponse:
        sid, secret = uuid.uuid4().hex, secrets.token_bytes(32)
        await request.app.state.database.execute("INSERT INTO s VALUES (?, 'u', ?, 1, ?)", [sid, secret, time.time()])
        return JSONResponse(pair(sid, secret, 1))

    app = Starlette(routes=[Route("/refresh", refresh, methods=["POST"]), Route("/begin", begin, methods=["POST"])])

    async def open_database() -> None:
        database = await aiosqlite.connect(os.environ["BENCH_DATABASE"], isolation_level=None)
        await database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE u (id TEXT PRIMARY KEY, is_active INT); INSERT INTO u VALUES ('u', 1);"
            "CREATE TABLE s (id TEXT PRIMARY KEY, user TEXT, secret BLOB, gen INT, at REAL);"
            "CREATE TABLE audit (id TEXT PRIMARY KEY, at REAL, sid TEXT);"
        )
        app.state.database, app.state.turn = database, asyncio.Lock()

    asyncio.get_event_loop().create_task(open_database())
    return app


def pair(sid: str, secret: bytes, generation: int) -> dict[str, Any]:
    now = int(time.time())
    shared = {"sub": "u", "sid": sid, "gen": generation, "iss": "i", "aud": "a", "iat": now}
    jti = hmac.digest(secret, str(generation).encode(), hashlib.sha256).hex()
    access = jwt.encode({**shared, "exp": now + 900, "jti": secrets.token_urlsafe(16)}, KEY, "HS256")
    refresh = jwt.encode({**shared, "exp": now + 604800, "jti": jti}, KEY, "HS256")
    return {"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 900}


async def argon2_in_threads(seconds: float) -> float:
    """Bare hashes a second: argon2-cffi in as many threads as there are cores."""
    import anyio
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    encoded, limiter, done = hasher.hash("correct horse battery staple"), anyio.CapacityLimiter(os.cpu_count() or 1), 0
    until = time.perf_counter() + seconds

    async def verify() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await anyio.to_thread.run_sync(hasher.verify, encoded, "correct horse battery staple", limiter=limiter)
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(verify() for _ in range(8)))
    return done / (time.perf_counter() - began)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("bare_ravyn", "bare_refresh"))
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    uvicorn.run(
        f"bench.yardsticks:{options.what}", factory=True, port=options.port, access_log=False, log_level="warning",
        loop="uvloop", http="httptools",
    )  # fmt: skip
