"""/session/events: a page learns of the end of its session without a click. Optional: no page needs it (`live.js`)."""

import asyncio
from collections.abc import AsyncGenerator

from app.auth.streams.events import Event, private_events
from app.auth.streams.open_streams import Stream


async def nothing(stream: Stream) -> AsyncGenerator[Event, None]:
    """No event of its own: the last event of every stream says why it ends."""
    await asyncio.get_running_loop().create_future()
    yield Event("never")


route_patterns = [private_events("/session/events", nothing, cache_control="private, no-cache")]
