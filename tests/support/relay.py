"""A program between two others on the loopback interface, in a thread of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from ssl import SSLContext

from tests.support.ports import free_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def relaying(serve: Serve, port: int = 0, ssl: SSLContext | None = None) -> Iterator[int]:
    """Do `serve` with each connection; yields the port. Connections that are open at the end are closed."""
    port, loop = port or free_port(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.start_server(serve, "127.0.0.1", port, ssl=ssl)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result()
    yield port
    loop.call_soon_threadsafe(server.close)
    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@contextmanager
def far_away(port: int, seconds: float) -> Iterator[int]:
    """As if the server at that port were so many seconds away: what either says, and that it hung up, comes later."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, forth, seconds), pass_on(back, writer, seconds))

    with relaying(serve) as here:
        yield here


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float = 0) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await asyncio.sleep(seconds)
                writer.write(data)
                await writer.drain()
        await asyncio.sleep(seconds)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def end() -> None:
    """Of every connection that is still open."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
