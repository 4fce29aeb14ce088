"""What the printed forms share: the framework's own, unpatched user model, a database and an HTTP client.

The forms run in a separate process that does not import `app`; see `printed`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import edgy
import httpx
from ravyn import Gateway, Ravyn
from ravyn.contrib.auth.edgy.base_user import AbstractUser

KEY = "a demo key, thirty-two bytes long"
PASSWORD = "a password of Robin's"
registry = edgy.Registry(database="sqlite+aiosqlite:///people.db")


class User(AbstractUser):
    class Meta:
        registry = registry


@asynccontextmanager
async def people() -> AsyncIterator[None]:
    """A database with one user: Robin, with id 1."""
    async with registry:
        await registry.create_all()
        await User.create_user("robin", "robin@example.org", PASSWORD, first_name="Robin", last_name="Example")
        yield


async def call(app: Any, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """The response of an application, which needs a database only if `people` is entered."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
        return await client.request(method, path, headers=headers)


@asynccontextmanager
async def site(*handlers: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with these handlers, and one user in its database: Robin, with id 1."""
    app = Ravyn(routes=[Gateway(handler=handler) for handler in handlers], **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with people(), httpx.AsyncClient(transport=transport, base_url="http://site") as client:
        yield client


def hours(number: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=number)


def play(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(main())  # type: ignore[arg-type]
