#!/usr/bin/env bash
# uvicorn logs a WebSocket handshake that the application refuses with a status as an error of the application.
#
# Seen 2026-11-30: uvicorn 0.54.0 with websockets 17.4, option --ws websockets-sansio, Python 3.11.
# An application refuses a handshake with websocket.http.response.start and a complete websocket.http.response.body
# (the ASGI extension "WebSocket Denial Response"). The client gets the status and the body. The log has one line more, at
# error level: "ASGI callable returned without completing handshake." So anybody who asks for a socket that there is not
# writes an error into the log.
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 websockets==17.4
cd "$folder"
cat > refusing.py <<'PYTHON'
async def app(scope, receive, send):
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.http.response.start", "status": 403, "headers": [(b"content-length", b"2")]})
    await send({"type": "websocket.http.response.body", "body": b"no"})
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import io
import logging
import sys

import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

said = io.StringIO()


async def main() -> int:
    config = uvicorn.Config("refusing:app", port=0, ws="websockets-sansio", lifespan="off", log_config=None)
    logging.basicConfig(stream=said, level=logging.INFO, format="%(levelname)s %(message)s")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with connect(f"ws://127.0.0.1:{port}/"):
            print("accepted?")
    except InvalidStatus as refused:
        print("status", refused.response.status_code, refused.response.body)
    server.should_exit = True
    await serving
    errors = [line for line in said.getvalue().splitlines() if line.startswith("ERROR")]
    print(errors)
    return 0 if errors == ["ERROR ASGI callable returned without completing handshake."] else 1


sys.exit(asyncio.run(main()))
PYTHON
