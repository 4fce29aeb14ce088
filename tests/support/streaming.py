"""An open event stream or WebSocket of the application in this process: what has arrived, and how to leave."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any

from app.auth.tokens import TokenPair
from tests.support.environment import ORIGIN
from tests.support.sent import browser

PATIENCE = 10  # seconds, for what comes at once


class Connection:
    """One request as the server passes it on. `sent`: the application's messages that nobody has taken yet."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = asyncio.Event()  # the client reads what it is sent
        self.reads.set()
        self.task: asyncio.Future[None]

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.sent.put_nowait(message)

    async def message(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.sent.get(), PATIENCE)

    async def status(self) -> int:
        """Of the answer that begins; 101 for an accepted WebSocket."""
        message = await self.message()
        return int(message.get("status", 101 if message["type"] == "websocket.accept" else 403))

    async def events(self, last: str = "") -> list[str]:
        """What arrives up to the event `last`, or to the end: the lines that are not empty, heartbeats left out."""
        text = ""
        while not (last and f"event: {last}\n" in text):
            message = await self.message()
            text += message.get("body", b"").decode()
            if not message.get("more_body"):
                break
        return [line for line in text.split("\n") if line.strip(":")]

    async def says(self, text: str) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    async def over(self) -> None:
        """The application has returned."""
        await asyncio.wait_for(asyncio.shield(self.task), PATIENCE)


@asynccontextmanager
async def opened(
    app: Any, path: str, pair: TokenPair | None = None, *, headers: Mapping[str, str] | None = None,
    kind: str = "http", method: str = "GET", extensions: bool = True,
) -> AsyncIterator[Connection]:  # fmt: skip
    """`kind`: "http", or "websocket" from one of our own pages. `pair`: whose cookies are sent."""
    connection = Connection()
    sent = {"Host": ORIGIN.partition("//")[2], "Accept": "text/event-stream", "Sec-Fetch-Site": "same-origin"}
    if kind == "websocket":
        sent["Origin"] = ORIGIN
        connection.incoming.put_nowait({"type": "websocket.connect"})
    if pair:
        sent["Cookie"] = browser(pair)["Cookie"]
    scope = {
        "type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "https" if kind == "http" else "wss",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 50000),
        "server": ("testserver", 443), "subprotocols": [],
        "extensions": {"websocket.http.response": {}} if extensions else {},
        "headers": [(k.lower().encode(), v.encode()) for k, v in (sent | dict(headers or {})).items() if v],
    }  # fmt: skip
    scope |= {"method": method} if kind == "http" else {}
    answering = app(scope, connection.incoming.get, connection.send)
    connection.task = asyncio.get_running_loop().create_task(answering, context=Context())
    try:
        yield connection
    finally:
        leaving = {"type": "http.disconnect"} if kind == "http" else {"type": "websocket.disconnect", "code": 1001}
        connection.incoming.put_nowait(leaving)
        await asyncio.wait({connection.task}, timeout=PATIENCE)
        assert connection.task.done(), "it goes on after the client has left"
