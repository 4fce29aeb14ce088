#!/usr/bin/env bash
# Ravyn passes the generator itself to a handler whose dependency yields; the dependency's code never runs.
#
# Seen 2026-12-01: ravyn 0.4.3, lilya 0.29.0, Python 3.11.7.
# The documentation (Dependencies, "Lifecycle (Yield Dependencies)") says that the code before `yield` runs first, that the
# handler gets what is yielded, and that the code after it runs when the response is sent. Declared with Inject or with
# Requires, as a generator or an async generator: the handler gets a generator object, nothing before `yield` runs, and
# nothing after it. A handler that only passes its session on answers 200, and a lock, a transaction or a check in such a
# dependency is not there. With another annotation than Any the answer is 500, "Validation failed".
# Output seen:
#   inject: async_generator, ran: []
#   inject, not async: generator, ran: []
#   requires: async_generator, ran: []
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ravyn==0.4.3 lilya==0.29.0 httpx2==2.16.2
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
from typing import Any

from ravyn import Gateway, Inject, Injects, Ravyn, Requires, get
from ravyn.testclient import RavynTestClient

logging.disable()
ran = []


async def opened():
    ran.append("before")
    yield "a session"
    ran.append("after")


def opened_here():
    ran.append("before")
    yield "a session"
    ran.append("after")


@get("/inject", dependencies={"session": Inject(opened)})
async def inject(session: Any = Injects()) -> Any:
    return type(session).__name__


@get("/here", dependencies={"session": Inject(opened_here)})
async def here(session: Any = Injects()) -> Any:
    return type(session).__name__


@get("/requires")
async def requires(session: Any = Requires(opened)) -> Any:
    return type(session).__name__


seen = {}
with RavynTestClient(Ravyn(routes=[Gateway(handler=each) for each in (inject, here, requires)])) as client:
    for name, path in {"inject": "/inject", "inject, not async": "/here", "requires": "/requires"}.items():
        seen[name] = client.get(path).json()
        print(f"{name}: {seen[name]}, ran: {ran}")
expected = {"inject": "async_generator", "inject, not async": "generator", "requires": "async_generator"}
sys.exit(0 if seen == expected and not ran else 1)
PYTHON
