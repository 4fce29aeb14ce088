import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app import db
from app.auth import permissions
from app.auth.sessions import session_cache
from app.auth.streams import open_streams
from app.auth.streams.events import Event, private_events
from app.auth.streams.open_streams import Stream
from app.auth.streams.sockets import Socket, private_socket
from app.main import create_app
from app.web import features
from app.web.features import Feature


class Feed:
    """What the streams of these tests send: `put` an event, or an error that the source fails with."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.asked = 0
        self.begun = asyncio.Event()

    async def source(self, stream: Stream) -> AsyncIterator[Event]:
        try:
            while True:
                self.asked += 1
                self.begun.set()
                event = await self.queue.get()
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.closed.set()


async def echo(socket: Socket) -> None:
    await socket.send(f"hello {socket.user.name}")
    async for text in socket:
        if text == "fail":
            raise RuntimeError("hunter2")
        if text == "bye":
            return
        await socket.send(text)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def site(database: str, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application, with streams of one's own. The feed of invalidations was read just now."""
    mine = Feature(
        name="mine",
        routes=[
            private_events("/mine/events", feed.source),  # type: ignore[arg-type]
            private_events("/mine/admin/events", feed.source, permissions.requires("users:read")),  # type: ignore[arg-type]
            private_events("/mine/recent/events", feed.source, permissions.RecentLogin),  # type: ignore[arg-type]
            private_socket("/mine/socket", echo),
            private_socket("/mine/admin/socket", echo, permissions.requires("users:read")),
        ],
    )
    monkeypatch.setattr(features, "_features", (*features.registered(), mine))
    session_cache.clear()
    await session_cache.read_invalidations()
    yield create_app()
    session_cache.clear()


async def checked() -> None:
    """What the background task does four times a second."""
    await open_streams.check(db.utcnow())
