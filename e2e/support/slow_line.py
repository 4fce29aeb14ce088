"""A slow network between browser and server: what passes is held back for 100 to 400 milliseconds, in its order.

On a fast one the answer to the first of two clicks is there before the second, and nothing can be seen.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle
from threading import Event

MILLISECONDS = (100, 250, 400, 175)  # of one connection after the other


class SlowLine:
    """A TCP proxy. Slow inside `with line.slow():` alone, so that a test need not wait for its pages."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port, self.upstream = port, upstream
        self.origin = f"http://localhost:{port}"
        self.listening = Event()
        self._delays = cycle(MILLISECONDS)
        self._slow = False
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def slow(self) -> Iterator[None]:
        self._slow = True
        try:
            yield
        finally:
            self._slow = False

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.listening.set()
        await self._stopped.wait()
        server.close()

    def stop(self) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_behind = await asyncio.open_connection("127.0.0.1", self.upstream)
        delay = next(self._delays) / 1000
        with suppress(asyncio.CancelledError):  # the end of the test
            await asyncio.gather(self._carry(reader, to_behind, delay / 4), self._carry(behind, writer, delay))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        try:
            with suppress(ConnectionError):
                while piece := await reader.read(65536):
                    if self._slow:
                        await asyncio.sleep(delay)
                    writer.write(piece)
                    await writer.drain()
        finally:
            writer.close()


@contextmanager
def slow_line(port: int, upstream: int) -> Iterator[SlowLine]:
    """In a thread of its own, for Playwright's loop occupies this one, until the end of the block."""
    line = SlowLine(port, upstream)
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(asyncio.run, line.run())
        try:
            assert line.listening.wait(10)
            yield line
        finally:
            line.stop()
            done.result(10)
