"""TLS in front of a PostgreSQL server: the one out of the wheel was built without it."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.relay import pass_on, relaying

SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)  # PostgreSQL, "SSLRequest"


@dataclass
class Front:
    """`names`: of the certificate that the client showed, "" for none; one entry for each encrypted connection."""

    port: int
    names: list[str] = field(default_factory=list)


@contextmanager
def encrypting(port: int, context: ssl.SSLContext) -> Iterator[Front]:
    """Take connections, encrypted or not, and pass on what is said to the server at that port."""
    names: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(8)
            if first == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                shown = (writer.get_extra_info("peercert") or {}).get("subjectAltName", (("", ""),))
                names.append(shown[0][1])
                first = b""
            back, forth = await asyncio.open_connection("127.0.0.1", port)
            forth.write(first)
            await asyncio.gather(pass_on(reader, forth), pass_on(back, writer))

    with relaying(serve) as here:
        yield Front(here, names)
