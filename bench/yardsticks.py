"""What the application is measured against: the same work done bare. Run by `bench/run.py` alone."""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import secrets
import time
import uuid
from datetime import UTC, datetime
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
    """Starlette and aiosqlite: the same token work as one rotation, and its very statements on its very tables."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    say = json.loads(os.environ["BENCH_STATEMENTS"])

    async def refresh(request: Request) -> JSONResponse:
        claims = jwt.decode((await request.json())["refresh_token"], KEY, ["HS256"], audience="a", issuer="i")
        database, sid, generation = request.app.state.database, claims["sid"], claims["gen"]
        async with database.execute(say["presented"], {"sid": sid}) as found:
            row = await found.fetchone()
        if not hmac.compare_digest(jti(row["secret"], generation), claims["jti"]):
            return JSONResponse({}, 401)
        now, asking = row["db_now"], {"ip": "127.0.0.1", "user_agent": request.headers.get("user-agent", "")}
        changed = {"generation": generation + 1, "confirmed": generation, "handed_at": now, "last_seen_at": now}
        event = {"user_id": row["user_id"], "actor_id": row["user_id"], "session_id": sid, "event": "session_rotated"}
        event |= {"id": uuid.uuid4().hex, "at": moment(), "request_id": uuid.uuid4().hex, "detail": f"gen {generation}"}
        async with request.app.state.turn:  # one connection: one transaction at a time
            await database.execute("BEGIN IMMEDIATE")
            values = {"sid": sid, "expected": generation, **changed, **asking}
            async with database.execute(say["handed_out"], values) as won:
                fresh = await won.fetchone()
            await database.execute(say["recorded"], {**event, **asking})
            await database.execute("COMMIT")
        return JSONResponse(pair(sid, fresh["user_id"], fresh["secret"], fresh["generation"]))

    async def begin(request: Request) -> JSONResponse:
        database, sid, secret, now = request.app.state.database, uuid.uuid4().hex, secrets.token_hex(32), moment()
        async with database.execute("SELECT id FROM users") as found:
            (owner,) = await found.fetchone()
        row = {"id": sid, "user_id": owner, "secret": secret, "generation": 1, "confirmed": 0, "ends_at": "9999-12-31"}
        row |= dict.fromkeys(("handed_at", "created_at", "last_seen_at", "authenticated_at"), now)
        row |= {"user_agent": "", "ip": ""}
        marks = ", ".join(f":{name}" for name in row)
        await database.execute(f"INSERT INTO sessions ({', '.join(row)}) VALUES ({marks})", row)
        return JSONResponse(pair(sid, owner, secret, 1))

    app = Starlette(routes=[Route("/refresh", refresh, methods=["POST"]), Route("/begin", begin, methods=["POST"])])

    async def open_database() -> None:
        database = await aiosqlite.connect(os.environ["BENCH_DATABASE"], isolation_level=None)
        database.row_factory = aiosqlite.Row
        await database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON")
        app.state.database, app.state.turn = database, asyncio.Lock()

    asyncio.get_event_loop().create_task(open_database())
    return app


def moment() -> str:
    """Now, as SQLite keeps it."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"


def jti(secret: str, generation: int) -> str:
    return hmac.digest(bytes.fromhex(secret), str(generation).encode(), hashlib.sha256).hex()


def pair(sid: str, owner: str, secret: str, generation: int) -> dict[str, Any]:
    now = int(time.time())
    shared = {"sub": owner, "sid": sid, "gen": generation, "iss": "i", "aud": "a", "iat": now}
    access = jwt.encode({**shared, "exp": now + 900, "jti": secrets.token_urlsafe(16)}, KEY, "HS256")
    refresh = jwt.encode({**shared, "exp": now + 604800, "jti": jti(secret, generation)}, KEY, "HS256")
    return {"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 900}


async def argon2_in_threads(seconds: float) -> float:
    """CPU seconds of a bare hash: argon2-cffi in as many threads as there are cores."""
    import anyio
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    encoded, limiter, done = hasher.hash("correct horse battery staple"), anyio.CapacityLimiter(os.cpu_count() or 1), 0
    until, before = time.perf_counter() + seconds, time.process_time()

    async def verify() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await anyio.to_thread.run_sync(hasher.verify, encoded, "correct horse battery staple", limiter=limiter)
            done += 1

    await asyncio.gather(*(verify() for _ in range(8)))
    return (time.process_time() - before) / done


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("bare_ravyn", "bare_refresh"))
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    uvicorn.run(
        f"bench.yardsticks:{options.what}", factory=True, port=options.port, access_log=False, log_level="warning",
        loop="uvloop", http="httptools",
    )  # fmt: skip
