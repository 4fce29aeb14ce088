"""What pages cost in development, as a multiple of production: a new user of a clone sees development first.

    python -m bench.development

Writes the table into results.md.
"""

import asyncio
from contextlib import ExitStack

import tests.support.environment  # noqa: F401  # isort: skip  # before anything of the application
from app.auth import cookies
from bench.record import MACHINE, record
from bench.run import PRODUCTION, compare, getting
from tests.support.people import make_user, start_session
from tests.support.server import Server, running

PATHS = ("/", "/login", "/account", "/admin/users")
REQUESTS = 240  # of one page in one round
DEVELOPMENT = PRODUCTION | {"APP_ENV": "development", "PUBLIC_ORIGIN": ""}


async def headers(server: Server, path: str) -> dict[str, str]:
    """Those of a browser, signed in where the page is private."""
    if path in ("/", "/login"):
        return {"Accept": "text/html"}
    async with server.database():
        pair = await start_session(await make_user(role="admin"))
    return {"Cookie": f"{cookies.access_name()}={pair.access_token}", "Accept": "text/html"}


async def main() -> None:
    rows = []
    with ExitStack() as stack:
        servers = {
            "production": stack.enter_context(running(**PRODUCTION)),
            "development": stack.enter_context(running(**DEVELOPMENT)),
        }
        for path in PATHS:
            sides = {
                name: (server.process.pid, await getting(server.port, path, await headers(server, path)))
                for name, server in servers.items()
            }
            spent = await compare(sides, REQUESTS)
            rows.append((f"`{path}`", f"{spent['development'] / spent['production']:.2f}", "<= 2"))
    record("development", f"{MACHINE}, SQLite, one worker.", ("page", "development / production", "goal"), rows)


if __name__ == "__main__":
    asyncio.run(main())
