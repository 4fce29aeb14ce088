#!/usr/bin/env bash
# Lilya's multipart parser loses a file, or part of it, when a boundary arrives in two pieces.
#
# Seen 2026-12-01: lilya 0.29.0, uvicorn 0.54.0, Python 3.11.7.
# The same multipart/form-data body, a text field and a file, is sent over TCP once in one piece, and then in two with a
# pause between them, once for each place where it can be cut. A network cuts bodies where it likes, and each piece is one
# `http.request` event. In one piece the form is read well. Where the cut lies in a boundary or right behind one, the field
# before it swallows the file, or the file is not there, or it has lost its first bytes: the answer is 200 all the same. So
# a form that works on one machine fails now and then in production. Since 0.20.6 the parser is Lilya's own, in place of
# python-multipart. A handler that awaits `request.body()` before `request.form()` is safe.
# Output seen:
#   read well: 173 of 189, another form: 12, refused: 4
#   cut at 59: {'note': 'hello\r\n--XX\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nConten
#   cut at 181: {'note': 'hello'}
#   cut at 188: {'note': 'hello', 'file': 'rst line\r\nsecond line'}
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lilya==0.29.0 uvicorn==0.54.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import json
import sys

import uvicorn
from lilya.apps import Lilya
from lilya.requests import Request
from lilya.responses import JSONResponse
from lilya.routing import Path

BODY = (
    b'--XX\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    b"first line\r\nsecond line\r\n--XX--\r\n"
)
RIGHT = {"note": "hello", "file": "first line\r\nsecond line"}


async def upload(request: Request):
    form = await request.form()
    fields = {name: value if isinstance(value, str) else (await value.read()).decode() for name, value in form.items()}
    return JSONResponse(fields)


async def answer(port, pieces):
    """Status and body of the response to a request whose body is sent piece by piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    )
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.03)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def main():
    app = Lilya(routes=[Path("/", upload, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    status, body = await answer(port, [BODY])
    whole = (status, json.loads(body))
    cuts = {}
    for place in range(1, len(BODY)):
        status, body = await answer(port, [BODY[:place], BODY[place:]])
        cuts[place] = json.loads(body) if status == 200 else status
    server.should_exit = True
    await serving
    wrong = {place: seen for place, seen in cuts.items() if isinstance(seen, dict) and seen != RIGHT}
    refused = sum(not isinstance(seen, dict) for seen in cuts.values())
    print(f"read well: {len(cuts) - len(wrong) - refused} of {len(cuts)}, another form: {len(wrong)}, refused: {refused}")
    for place, seen in wrong.items():
        print(f"cut at {place}: {seen}"[:110])
    return whole == (200, RIGHT) and any("file" not in seen for seen in wrong.values())


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
