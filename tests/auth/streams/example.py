"""An example, as `app/clock/__init__.py`: an event stream and a WebSocket of one's own.

Chapter: "Permissions".
"""

import asyncio
from collections.abc import AsyncGenerator

from app import db
from app.auth import permissions
from app.auth.streams.events import Event, private_events
from app.auth.streams.open_streams import Stream
from app.auth.streams.sockets import Socket, private_socket
from app.web.features import Feature


async def ticks(stream: Stream) -> AsyncGenerator[Event, None]:
    while True:
        yield Event("tick", f"{db.utcnow():%H:%M:%S}")
        await asyncio.sleep(1)


async def echo(socket: Socket) -> None:
    async for text in socket:
        await socket.send(f"{socket.user.name}: {text}")


FEATURE = Feature(
    name="clock",
    routes=[
        private_events("/clock/events", ticks),
        private_socket("/clock/echo", echo, permissions.SignedIn),
    ],
)
