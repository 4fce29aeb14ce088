"""A request whose body comes late, or whose answer is read late: between the two a test does what it likes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

import httpx

from tests.support.acts import Act
from tests.support.environment import ORIGIN

Meanwhile = Callable[[], Awaitable[Any]]


class Answer(httpx.Response):
    """`parts`: how many the body came in. `whole`: it has an end; else it was cut off."""

    parts: int
    whole: bool


async def nothing() -> None:
    return


def as_request(act: Act, url: str = ORIGIN) -> httpx.Request:
    """A body always: `{}` or an unknown field, so that there is something to wait for."""
    body: Any = {"json": act.json} if act.json is not None else {"data": act.data or {"nothing": ""}}
    return httpx.Request(act.method, f"{url}{act.path}", headers=act.headers, **body)


async def answer(app: Any, act: Act, meanwhile: Meanwhile = nothing, *, reading: Meanwhile = nothing) -> Answer:
    """The answer of the application in this process.

    `meanwhile` runs when it waits for the body, or has answered without. `reading` runs when the first of several parts
    of an answer has arrived, and the client takes its time.
    """
    request = as_request(act)
    body = request.read()
    waits, comes, never = asyncio.Event(), asyncio.Event(), asyncio.Event()
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if comes.is_set():  # somebody listens for the end of the connection
            await never.wait()
        waits.set()
        await comes.wait()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)
        if message.get("more_body") and len(told) == 2:
            await elsewhere(reading)

    task = asyncio.ensure_future(app(_scope(request), receive, send))
    waiting = asyncio.ensure_future(waits.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await meanwhile()
    comes.set()
    await task
    start, *parts = told
    content = b"".join(part.get("body", b"") for part in parts)
    made = Answer(start["status"], headers=start["headers"], content=content, request=request)
    made.parts, made.whole = len(parts), bool(parts) and not parts[-1].get("more_body", False)
    return made


async def elsewhere(work: Meanwhile) -> None:
    """By somebody else: nothing that belongs to the request being answered is known there."""
    await asyncio.create_task(_coroutine(work), context=Context())


async def _coroutine(work: Meanwhile) -> None:
    await work()


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "server": (request.url.host, 443),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
    }
