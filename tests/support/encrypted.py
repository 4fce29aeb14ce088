"""TLS in front of a PostgreSQL server: the one out of the wheel was built without it."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.ports import free_port

SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)  # PostgreSQL, "SSLRequest"


@dataclass
class Front:
    """`names`: of the certificate that the client showed, "" for none; one entry for each encrypted connection."""

    port: int
    names: list[str] = field(default_factory=list)


@contextmanager
def encrypting(port: int, context: ssl.SSLContext) -> Iterator[Front]:
    """Take connections, encrypted or not, and pass on what is said to the server at that port."""
    front, loop = Front(free_port()), asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(8)
            if first == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                shown = (writer.get_extra_info("peercert") or {}).get("subjectAltName", (("", ""),))
                front.names.append(shown[0][1])
                first = b""
            back, forth = await asyncio.open_connection("127.0.0.1", port)
            forth.write(first)
            await asyncio.gather(pass_on(reader, forth), pass_on(back, writer))

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", front.port))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield front
    loop.call_soon_threadsafe(server.close)
    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def end() -> None:
    """Of every connection that is still open."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
