"""A TLS front for one server that breaks what the browser is answered at one path, and passes on everything else."""

import asyncio
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.support.environment import SCRATCH
from tests.support.proxy import certified
from tests.support.relay import pass_on, relaying

ABORT, HANG = "abort", "hang"


def answer(status: int, body: str = "", *headers: str) -> str:
    """A response as it goes over the line."""
    lines = [f"HTTP/1.1 {status} Chosen", "Connection: close", f"Content-Length: {len(body.encode())}", *headers]
    return "\r\n".join([*lines, "", body])


class BrokenFront:
    """At https://localhost:`port`, with a certificate of its own making. `key`: as `Proxy.key`.

    `fault`: what is answered at `path` instead of the server: `answer`, ABORT, HANG, "" for what the server says.
    """

    def __init__(self, path: str, upstream: int, port: int) -> None:
        folder = Path(tempfile.mkdtemp(dir=SCRATCH))
        self.path, self.upstream, self.port, self.fault = path, upstream, port, ""
        self.key = certified(folder)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "chain.pem", folder / "key.pem")
        self._listening = ExitStack()

    def listen(self) -> None:
        self._listening.enter_context(relaying(self._serve, self.port, self._tls))

    def close(self) -> None:
        self._listening.close()

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Connections are refused meanwhile."""
        self.close()
        yield
        self.listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection: the server is told to close it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        broken = self.fault if head.split()[1] == self.path else ""
        if broken == HANG:
            await asyncio.sleep(3600)
        elif broken == ABORT:
            writer.transport.abort()
        elif broken:
            writer.write(broken.encode())
            await writer.drain()
        else:
            back, forth = await asyncio.open_connection("127.0.0.1", self.upstream)
            lines = [line for line in head.split("\r\n")[:-2] if not line.lower().startswith("connection:")]
            told = "\r\n".join([*lines, "Connection: close", "X-Forwarded-Proto: https", "", ""])
            forth.write(told.encode("latin-1"))
            body = asyncio.ensure_future(pass_on(reader, forth))
            await pass_on(back, writer)
            body.cancel()


@contextmanager
def broken_at(path: str, upstream: int, port: int) -> Iterator[BrokenFront]:
    front = BrokenFront(path, upstream, port)
    front.listen()
    yield front
    front.close()
