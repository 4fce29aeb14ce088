#!/usr/bin/env bash
# Lilya decodes the fields of an urlencoded form twice: "a+b@example.com" arrives as "a b@example.com".
#
# Seen 2026-12-01: lilya 0.29.0, uvicorn 0.54.0, Python 3.11.7.
# A client sends a plus sign as %2B, and a percent sign as %25, as the URL standard has it (section 5,
# application/x-www-form-urlencoded). `await request.form()` turns %2B into "+", and then that "+" into a space; it turns
# %2541 into "%41", and then that into "A". So an address with a tag is another address, and a password with "+" or "%" in
# it is another password. The same field in a query string is decoded once, and so is a field of multipart/form-data.
# Output seen:
#   sent:      {'email': 'a+b@example.com', 'password': '100%41+'}
#   form:      {'email': 'a b@example.com', 'password': '100A '}
#   query:     {'email': 'a+b@example.com', 'password': '100%41+'}
#   multipart: {'email': 'a+b@example.com', 'password': '100%41+'}
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lilya==0.29.0 uvicorn==0.54.0 httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import logging
import sys

import httpx
import uvicorn
from lilya.apps import Lilya
from lilya.requests import Request
from lilya.responses import JSONResponse
from lilya.routing import Path

logging.disable()
SENT = {"email": "a+b@example.com", "password": "100%41+"}


async def form(request: Request):
    return JSONResponse(dict(await request.form()))


async def query(request: Request):
    return JSONResponse(dict(request.query_params))


async def main():
    app = Lilya(routes=[Path("/form", form, methods=["POST"]), Path("/query", query)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        parts = {name: (None, value) for name, value in SENT.items()}
        seen = {
            "form": (await client.post("/form", data=SENT)).json(),
            "query": (await client.get("/query", params=SENT)).json(),
            "multipart": (await client.post("/form", files=parts)).json(),
        }
    server.should_exit = True
    await serving
    for name, fields in {"sent": SENT, **seen}.items():
        print(f"{name + ':':10}", {each: fields[each] for each in SENT})
    twice = {"email": "a b@example.com", "password": "100A "}
    return seen == {"form": twice, "query": SENT, "multipart": SENT}


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
