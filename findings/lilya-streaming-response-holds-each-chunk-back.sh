#!/usr/bin/env bash
# Lilya's StreamingResponse sends a chunk only when the next one is there, so an event stream is always one event behind.
#
# Seen 2026-11-30: lilya 0.29.0, uvicorn 0.54.0, Python 3.11.7.
# A handler yields "one", waits until it is told to go on, and yields "two". The client has read the headers, and waits
# for a second in vain: "one" is not sent. When the handler goes on, "one" arrives, and "two" with the end of the stream.
# A stream of server-sent events, progress lines or long exports made with it is late by one chunk; a single event is
# seen when the stream ends. A response that calls `send` for each chunk itself has no such delay.
# Output seen:
#   before the handler goes on: b''
#   afterwards: b'onetwo'
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lilya==0.29.0 uvicorn==0.54.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import sys

import uvicorn
from lilya.apps import Lilya
from lilya.responses import StreamingResponse
from lilya.routing import Path

go_on = asyncio.Event()


async def chunks():
    yield b"one"
    await go_on.wait()
    yield b"two"


async def handler():
    return StreamingResponse(chunks(), media_type="text/plain")


async def body(reader, seconds):
    """What arrives of a body in chunks until nothing has come for so long."""
    found = b""
    try:
        while size := int(await asyncio.wait_for(reader.readline(), seconds), 16):
            found += await reader.readexactly(size)
            await reader.readexactly(2)
    except asyncio.TimeoutError:
        pass
    return found


async def main():
    server = uvicorn.Server(uvicorn.Config(Lilya(routes=[Path("/", handler)]), port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    before = await body(reader, 1)
    go_on.set()
    after = await body(reader, 5)
    writer.close()
    server.should_exit = True
    await serving
    print("before the handler goes on:", before)
    print("afterwards:", after)
    return (before, after) == (b"", b"onetwo")


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
